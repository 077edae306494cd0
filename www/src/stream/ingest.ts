// A body goes in piece by piece; what became of the pieces is summed up.

import { Ahead } from "./ahead.js";
import { abortable, checkAborted, checkOptions, flatten, invalid, type Pieces } from "../base/shared.js";
import { untilEnded } from "./until_ended.js";
import { type Body, chunks, sourceOf } from "./body.js";
import type { Port } from "../port/port.js";
import type { RequestOf } from "../port/requests.js";
import type { Abortable, IngestOptions, IngestResult } from "../api/samples.js";

const FORMATS = ["prometheus", "jsonl", "influx", "csv", "native", "remote_write", "otlp", "graphite"] as const;

const OPTIONS: Record<keyof (IngestOptions & Abortable), true> = {
  format: true,
  timestamp: true,
  csvFormat: true,
  extraLabels: true,
  signal: true,
};

export async function ingest(port: Port, body: Body | Pieces, options: IngestOptions & Abortable): Promise<IngestResult> {
  checkOptions(options, OPTIONS, "ingest()");
  const { format, timestamp = port.now(), csvFormat, extraLabels = {}, signal } = options ?? {};
  if (!FORMATS.includes(format)) {
    const known = FORMATS.map((name) => JSON.stringify(name)).join(", ");
    throw invalid(`ingest knows no format ${JSON.stringify(format)}; there are ${known}`);
  }
  const source = sourceOf(body);
  if (source === undefined) throw invalid("the body to ingest must be a string, bytes, a Blob or a stream of bytes");
  if (typeof timestamp !== "number" || !(Math.abs(timestamp) <= 8.64e15))
    throw invalid(`timestamp is ${String(timestamp)}; milliseconds since the epoch are expected`);
  const labels = flatten(extraLabels, "extraLabels");

  if (csvFormat !== undefined && typeof csvFormat !== "string") throw invalid("csvFormat must be a string");
  const open = { kind: "ingestOpen", format, csvFormat: csvFormat ?? "", contentEncoding: "", timestamp, extraLabels: labels } as const;
  return abortable("ingest", signal, () => ingestByPieces(port, source, open, signal));
}

/** The engine unpacks the body and finds its records. What was taken in before a failure stays. */
async function ingestByPieces(
  port: Port,
  source: NonNullable<ReturnType<typeof sourceOf>>,
  open: RequestOf<"ingestOpen">,
  signal: AbortSignal | null | undefined,
): Promise<IngestResult> {
  const ingest = await port.ask(open);
  const until = untilEnded(port, signal);
  try {
    const ahead = new Ahead(port.aheadBytes);
    for await (const body of chunks(source, until.signal)) {
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
  } finally {
    until.release();
  }
}
