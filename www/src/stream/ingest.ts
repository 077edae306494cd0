// A body goes in piece by piece; what became of the pieces is summed up.

import { abortable, checkAborted, flatten, invalid, SandglassError } from "../base/shared.js";
import { type Body, pieces, sourceOf } from "./lines.js";
import type { Port } from "../port/port.js";
import type { Abortable, IngestOptions, IngestResult } from "../api/samples.js";

/** How many reasons are reported. */
const MAX_ERRORS = 10;

/** Numbers bodies, so that the engine counts a series once for all pieces of one. */
let lastBody = 0;

const LATER = new Set(["influx", "csv", "native", "remote_write"]);

export async function ingest(port: Port, body: Body, options: IngestOptions & Abortable): Promise<IngestResult> {
  const { format, timestamp = port.now(), extraLabels = {}, signal } = options ?? {};
  if (LATER.has(format)) {
    throw new SandglassError("unsupported", `ingest does not read the format "${format}" yet; "prometheus" and "jsonl" are there`);
  }
  if (format !== "prometheus" && format !== "jsonl") {
    throw invalid(`ingest knows no format ${JSON.stringify(format)}; write format: "prometheus" or "jsonl"`);
  }
  const source = sourceOf(body);
  if (source === undefined) throw invalid("the body to ingest must be a string, bytes, a Blob or a stream of bytes");
  if (typeof timestamp !== "number" || !(Math.abs(timestamp) <= 8.64e15))
    throw invalid(`timestamp is ${String(timestamp)}; milliseconds since the epoch are expected`);
  const labels = flatten(extraLabels, "extraLabels");

  return abortable("ingest", signal, async () => {
    const sum: IngestResult = { series: 0, samples: 0, rejected: 0, errors: [] };
    let firstLine = 1;
    lastBody = (lastBody % 0xffff_ffff) + 1;
    const bodyNumber = lastBody;
    for await (const { bytes, lines, tooLong } of pieces(source, signal)) {
      checkAborted("ingest", signal);
      if (tooLong) {
        sum.rejected++;
        if (sum.errors.length < MAX_ERRORS) sum.errors.push({ line: firstLine, message: "the line is longer than 64 MiB" });
      } else {
        const result = await port.ask({ kind: "ingest", format, body: bytes, timestamp, extraLabels: labels, firstLine, bodyNumber });
        sum.series += result.series;
        sum.samples += result.samples;
        sum.rejected += result.rejected;
        for (const { line, message } of result.errors) {
          // Why samples were dropped is said of each piece.
          if (line == null && sum.errors.some((known) => known.line === undefined)) continue;
          if (sum.errors.length < MAX_ERRORS) sum.errors.push(line == null ? { message } : { line, message });
        }
      }
      firstLine += lines;
    }
    return sum;
  });
}
