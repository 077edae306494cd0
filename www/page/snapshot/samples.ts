// Samples that were dropped or pasted as text: which format they have, and a database in memory that holds them.

import { type Database, type IngestOptions, type IngestResult, open } from "sandglass";
import { NUMBER, tableOf } from "./table";

/** Samples as text, and how they are written. */
export interface Samples {
  /** Anew for each reading. */
  body(): ReadableStream<Uint8Array>;
  options: IngestOptions;
  /** The format in words. */
  format: string;
  /** Lines before the first of the body. */
  linesBefore: number;
}

/** So much of a text tells its format. */
const HEAD_BYTES = 64 * 1024;
/** Lines that are looked at: comments come first, as a rule. */
const MOST_LINES = 200;
const TAR_MARK = { at: 257, text: "ustar" };
/** Where a header of a tar has the size of what follows: in octal digits, or in bytes behind a set bit. */
const TAR_SIZE = { at: 124, length: 12 };
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd];
/** What stands in no text. */
const CONTROL = /(?!\s)\p{Cc}/u;

const GRAPHITE = new RegExp(String.raw`^[^\s{}]+\s+${NUMBER}\s+\d{9,10}$`);
const PROMETHEUS = new RegExp(String.raw`^(?:[a-zA-Z_:][\w:.]*\s*(?:\{.*\})?|\{.*\})\s*\s${NUMBER}(?:\s+(-?[\d.]+))?(?:\s+#.*)?$`);
const INFLUX = /^[^\s,=]+(?:,[^\s=]+=\S*)*\s+[^\s=]+=\S/;

/** A text is named by the first metric that is in it, and by when it was pasted. */
export function pastedName(text: string, now: Date): string {
  const clock = `${String(now.getHours()).padStart(2, "0")}.${String(now.getMinutes()).padStart(2, "0")}`;
  const head = text.slice(0, HEAD_BYTES);
  const first = head.split(/\r?\n/).find((line) => line.trim() !== "" && !line.startsWith("#")) ?? "";
  const format = formatIn(head);
  const metric =
    format === "jsonl"
      ? /"__name__"\s*:\s*"([^"]+)"/.exec(first)?.[1]
      : format === "csv" || format === "otlp"
        ? undefined
        : /^[^\s{,]+/.exec(first.trim())?.[0];
  return `${metric?.slice(0, 60) ?? "samples"}, pasted ${clock}`;
}

/** What is in a file, if it is samples as text. A text that is none is refused here: whoever looks for a snapshot in it would speak of tars. */
export async function samplesIn(file: File): Promise<Samples | undefined> {
  const isPacked = await startsWith(file, [0x1f, 0x8b]);
  const stream = (): ReadableStream<Uint8Array> => (isPacked ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file.stream());
  const head = await headOf(stream());
  if (head === undefined) {
    if (!isPacked && !(await mayBeTar(file))) throw new Error(await unknown(file));
    return undefined;
  }
  const found = formatOf(head);
  if (found === undefined) {
    if (head.trim() === "" && file.size > 0) return undefined;
    throw new Error(
      head.trim() === ""
        ? "It is empty."
        : `It is a text in none of the formats that the page reads: Prometheus text, JSON lines, InfluxDB line protocol, Graphite’s plaintext, OpenTelemetry metrics as JSON, or a table with a row of names (CSV). Its first line is “${firstLineOf(head)}”.`,
    );
  }
  // A sample without a time is as old as the file.
  const options = { ...found.options, timestamp: file.lastModified };
  const isTable = options.format === "csv";
  return {
    body: isTable ? () => stream().pipeThrough(withoutFirstLine()) : stream,
    options,
    format: found.words,
    linesBefore: isTable ? 1 : 0,
  };
}

/** A database in memory with the samples, and what became of them. */
export async function openSamples(samples: Samples): Promise<{ database: Database; result: IngestResult }> {
  const database = await open({ storage: "memory", clock: "manual", startTime: Date.now(), retention: "100y" });
  try {
    return { database, result: await fill(database, samples) };
  } catch (error) {
    await database.close();
    throw error;
  }
}

export async function fill(database: Database, { body, options }: Samples): Promise<IngestResult> {
  const result = await database.ingest(body(), options);
  await database.flush();
  return result;
}

/**
 * The format that the beginning of a text has.
 *
 * @throws Error when it is a table whose times can't be read for certain
 */
export function formatOf(head: string): { options: IngestOptions; words: string } | undefined {
  const lines = head.split(/\r?\n/).slice(0, MOST_LINES);
  const rows = lines.filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const [first] = rows;
  if (first === undefined) return undefined;
  if (/^\s*\{\s*"resourceMetrics"/.test(head)) return { options: { format: "otlp" }, words: "OpenTelemetry metrics" };
  if (GRAPHITE.test(first)) return { options: { format: "graphite" }, words: "Graphite’s plaintext" };
  if (PROMETHEUS.test(first)) return { options: { format: "prometheus" }, words: `Prometheus text${timed(PROMETHEUS.exec(first)![1])}` };
  if (first.startsWith('{"')) return first.includes('"metric"') ? { options: { format: "jsonl" }, words: "JSON lines" } : undefined;
  if (INFLUX.test(first)) return { options: { format: "influx" }, words: `InfluxDB line protocol${timed(/\s(-?\d+)$/.exec(first)?.[1])}` };
  const [names, ...values] = rows.map(cells);
  const table = tableOf(names!, values);
  return table && { options: { format: "csv", csvFormat: table.csvFormat }, words: table.words };
}

/** Which time samples have that come without one. */
const timed = (time: string | undefined): string => (time === undefined ? " without times, whose samples have the file’s" : "");

function firstLineOf(head: string): string {
  const line = head.split(/\r?\n/).find((one) => one.trim() !== "" && !one.startsWith("#")) ?? head.trim();
  return line.length > 80 ? `${line.slice(0, 80)}…` : line;
}

/** The format alone. A table whose times can't be read is one, too. */
function formatIn(head: string): string | undefined {
  try {
    return formatOf(head)?.options.format;
  } catch {
    return "csv";
  }
}

/** The names of a table's columns are no row of it. */
function withoutFirstLine(): TransformStream<Uint8Array, Uint8Array> {
  let isBehind = false;
  return new TransformStream({
    transform(chunk, controller) {
      const end = isBehind ? -1 : chunk.indexOf(10);
      if (!isBehind && end < 0) return;
      isBehind = true;
      controller.enqueue(chunk.subarray(end + 1));
    },
  });
}

/** The cells of a row, which may stand in quotes. */
function cells(row: string): string[] {
  return [...row.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)]
    .slice(0, -1)
    .map(([, cell = ""]) => cell.replace(/^"|"$/g, "").replaceAll('""', '"'));
}

/** The beginning of a text up to a whole line; nothing of what is no text. */
async function headOf(stream: ReadableStream<Uint8Array>): Promise<string | undefined> {
  const reader = stream.getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let head = "";
  let isWhole = false;
  try {
    for (let bytes = 0; bytes < HEAD_BYTES && !isWhole; ) {
      const { done, value } = await reader.read();
      isWhole = done;
      head += decoder.decode(value, { stream: !done });
      bytes += value?.length ?? 0;
    }
  } catch {
    return undefined;
  } finally {
    await reader.cancel().catch(() => {});
  }
  if (CONTROL.test(head) || head.slice(TAR_MARK.at).startsWith(TAR_MARK.text)) return undefined;
  return isWhole ? head : head.slice(0, head.lastIndexOf("\n") + 1);
}

async function mayBeTar(file: Blob): Promise<boolean> {
  if (await startsWith(file, ZSTD)) return true;
  const size = new Uint8Array(await file.slice(TAR_SIZE.at, TAR_SIZE.at + TAR_SIZE.length).arrayBuffer());
  return size.length > 0 && (size[0] === 0x80 || size[0] === 0xff || /^[0-7 \0]+$/.test(String.fromCharCode(...size)));
}

async function unknown(file: Blob): Promise<string> {
  const first = new Uint8Array(await file.slice(0, 8).arrayBuffer());
  const bytes = [...first].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `It is no tar, no text, and nothing else that the page reads. Its first bytes are ${bytes}.`;
}

async function startsWith(file: Blob, mark: readonly number[]): Promise<boolean> {
  const first = new Uint8Array(await file.slice(0, mark.length).arrayBuffer());
  return mark.every((byte, at) => first[at] === byte);
}
