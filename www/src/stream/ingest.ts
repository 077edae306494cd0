// A body goes in piece by piece; what became of the pieces is summed up.

import { Ahead } from "./ahead.js";
import { abortable, checkAborted, checkOptions, flatten, invalid, SandglassError } from "../base/shared.js";
import { untilEnded } from "./until_ended.js";
import { type Body, chunks, pieces, sourceOf } from "./lines.js";
import type { Port } from "../port/port.js";
import type { RequestOf } from "../port/requests.js";
import type { Abortable, IngestOptions, IngestResult } from "../api/samples.js";

/** How many reasons are reported. */
const MAX_ERRORS = 10;

/** Numbers bodies, so that the engine counts a series once for all pieces of one. */
let lastBody = 0;

/** Formats that are cut into records by the engine. */
const BY_PIECES = new Set(["influx", "csv", "native", "remote_write", "otlp", "graphite"]);

const OPTIONS: Record<keyof (IngestOptions & Abortable), true> = {
  format: true,
  timestamp: true,
  csvFormat: true,
  extraLabels: true,
  signal: true,
};

export async function ingest(port: Port, body: Body, options: IngestOptions & Abortable): Promise<IngestResult> {
  checkOptions(options, OPTIONS, "ingest()");
  const { format, timestamp = port.now(), csvFormat, extraLabels = {}, signal } = options ?? {};
  if (format !== "prometheus" && format !== "jsonl" && !BY_PIECES.has(format)) {
    const known = ["prometheus", "jsonl", ...BY_PIECES].map((name) => JSON.stringify(name)).join(", ");
    throw invalid(`ingest knows no format ${JSON.stringify(format)}; there are ${known}`);
  }
  const source = sourceOf(body);
  if (source === undefined) throw invalid("the body to ingest must be a string, bytes, a Blob or a stream of bytes");
  if (typeof timestamp !== "number" || !(Math.abs(timestamp) <= 8.64e15))
    throw invalid(`timestamp is ${String(timestamp)}; milliseconds since the epoch are expected`);
  const labels = flatten(extraLabels, "extraLabels");

  if (format !== "prometheus" && format !== "jsonl") {
    if (csvFormat !== undefined && typeof csvFormat !== "string") throw invalid("csvFormat must be a string");
    const open = { kind: "ingestOpen", format, csvFormat: csvFormat ?? "", contentEncoding: "", timestamp, extraLabels: labels } as const;
    return abortable("ingest", signal, () => ingestByPieces(port, source, open, signal));
  }
  return abortable("ingest", signal, async () => {
    const sum: IngestResult = { series: 0, samples: 0, rejected: 0, errors: [] };
    let firstLine = 1;
    lastBody = (lastBody % 0xffff_ffff) + 1;
    const bodyNumber = lastBody;
    let engine: number | undefined;
    const ahead = new Ahead<IngestResult>(port.aheadBytes, (result) => {
      engine ??= port.engineNumber;
      if (engine !== port.engineNumber) throw interrupted();
      sum.series += result.series;
      sum.samples += result.samples;
      sum.rejected += result.rejected;
      for (const { line, message } of result.errors) {
        // Why samples were dropped is said of each piece.
        if (line == null && sum.errors.some((known) => known.line === undefined)) continue;
        if (sum.errors.length < MAX_ERRORS) sum.errors.push(line == null ? { message } : { line, message });
      }
    });
    const giveUp = untilEnded(port, signal);
    for await (const { bytes, lines, tooLong } of pieces(source, giveUp)) {
      checkAborted("ingest", signal);
      if (tooLong) {
        // What is told stays in the order of the lines.
        await ahead.end();
        sum.rejected++;
        if (sum.errors.length < MAX_ERRORS) sum.errors.push({ line: firstLine, message: "the line is longer than 64 MiB" });
      } else {
        const piece = { kind: "ingest", format, body: bytes, timestamp, extraLabels: labels, firstLine, bodyNumber } as const;
        await ahead.handOver(bytes.length, () => port.ask(piece));
      }
      firstLine += lines;
    }
    await ahead.end();
    giveUp.throwIfAborted();
    return sum;
  });
}

/** A body whose records the engine finds itself. What was taken in before a failure stays. */
async function ingestByPieces(
  port: Port,
  source: NonNullable<ReturnType<typeof sourceOf>>,
  open: RequestOf<"ingestOpen">,
  signal: AbortSignal | null | undefined,
): Promise<IngestResult> {
  const ingest = await port.ask(open);
  try {
    const ahead = new Ahead<void>(port.aheadBytes, () => {});
    for await (const body of chunks(source, untilEnded(port, signal))) {
      checkAborted("ingest", signal);
      await ahead.handOver(body.length, () => port.ask({ kind: "ingestPiece", ingest, body }));
    }
    // A stream that was given up ends like any other, and its last record is cut off.
    checkAborted("ingest", signal);
    await ahead.end();
    const result = await port.ask({ kind: "ingestEnd", ingest });
    return { ...result, errors: result.errors.map(({ line, message }) => (line == null ? { message } : { line, message })) };
  } catch (error) {
    await port.ask({ kind: "ingestClose", ingest }).catch(() => {});
    throw error;
  }
}

/** What was taken before is with an engine that has gone: whether that has stored it nobody knows. */
function interrupted(): SandglassError {
  const words =
    "the page with the database went away during ingest, and nobody knows how much of the body it has stored; look, and try again";
  return new SandglassError("interrupted", words, { tookEffect: "unknown" });
}
