// The engine's events in words. One line for each step that a reader can follow; the rest stays in the drawing.

import type { EngineEvent, PartClass } from "sandglass";
import type { Change } from "./engine";
import { bytes, many, month, plural, significant } from "./format";

/** What a line is about, for its colour. */
export type Stage = "raw" | PartClass | "index" | "snapshot" | "trouble";

export interface Line {
  sequence: number;
  time: number;
  stage: Stage;
  text: string;
  /** Of a flush of raw rows: several within a second are told as one. */
  flushed?: { rows: number; parts: number };
  /** Lines that were alike and stand here as one. */
  times?: number;
}

export const CLASS_WORD: Record<PartClass, string> = { inmemory: "in-memory part", small: "small part", big: "big part" };

const REASON: Record<string, string> = {
  flush: "Wrote",
  background: "Merged",
  assisted: "Merged, to catch up,",
  forced: "Merged, as asked,",
  deduplication: "Merged and de-duplicated",
};

/** What keeps samples over a crash: a log from their first second on, the parts on disk, or, in memory alone, nothing. */
export type Keeper = "log" | "parts" | "nothing";

const KEPT: Record<Keeper, string> = { log: "; the log need not keep these rows any more", parts: "; now durable", nothing: "" };

/** Words for an event and what it has done to the model; nothing for those that only the drawing shows. */
export function describe(event: EngineEvent, change: Change | undefined, keeper: Keeper): Line | undefined {
  const line = (stage: Stage, text: string): Line => ({ sequence: event.sequence, time: event.time, stage, text });
  switch (event.type) {
    case "rawRowsFlushed": {
      const flushed = { rows: event.rows, parts: event.parts.length };
      return { ...line("inmemory", flushWords(flushed)), flushed };
    }
    case "mergeFinished": {
      if (change?.type !== "finished") return undefined;
      const { merge } = change;
      const { output } = merge;
      const lost = [
        event.rowsDeleted > 0 ? `${many(event.rowsDeleted, "row")} dropped` : "",
        event.rowsDeduplicated > 0 ? `${many(event.rowsDeduplicated, "duplicate")} dropped` : "",
      ].filter(Boolean);
      const from = plural(merge.sourceIds.length, merge.reason === "flush" ? "in-memory part" : "part");
      const verb = REASON[merge.reason] ?? "Merged";
      const into = output
        ? `into one ${CLASS_WORD[output.class]}: ${many(output.rows, "row")} in ${bytes(output.bytes)}, ${significant(output.bytes / Math.max(1, output.rows))} bytes a sample`
        : "and nothing was left";
      const durable = merge.reason === "flush" && output && output.class !== "inmemory" ? KEPT[keeper] : "";
      return line(merge.outputClass, `${verb} ${from} ${into}${durable}${lost.length ? `; ${lost.join(", ")}` : ""}`);
    }
    case "mergeAborted":
      return line("trouble", `Gave up a merge, its sources are untouched: ${event.message}`);
    case "partitionCreated": {
      const name = month(event.partition);
      return line("raw", `Opened a partition for ${name.month} ${name.year}`);
    }
    case "partitionDropped": {
      const name = month(event.partition);
      return line("raw", `Dropped ${name.month} ${name.year}: it is older than the retention`);
    }
    case "seriesRegistered":
      return line("index", `Registered ${plural(event.series, "new series", "new series")} in the index`);
    case "indexFlushed":
      return line("index", `Wrote ${plural(event.items, "index item")} into an index part`);
    case "indexMerged":
      return line("index", `Merged ${plural(event.sources.length, "index part")} into one: ${many(event.items, "item")}`);
    case "indexRotated":
      return line("index", "Began a new generation of the index");
    case "snapshotStarted":
      return line("snapshot", `Snapshot ${event.name} began: flushing`);
    case "snapshotCreated":
      return line(
        "snapshot",
        `Snapshot ${event.name} is complete: ${plural(event.parts, "part")}, ${plural(event.files, "file")} linked (${bytes(event.linkedBytes)}), not one byte of them copied`,
      );
    case "snapshotDeleted":
      return line("snapshot", `Snapshot ${event.name} deleted`);
    case "mergePutOff":
      return line(
        "trouble",
        `Put off a merge of ${plural(event.sources.length, "part")}: it may take ${bytes(event.neededBytes)}, and there is room for ${bytes(event.roomBytes)}`,
      );
    case "restored":
      return line("small", "The storage takes what is written again");
    case "degraded":
      return line("trouble", event.message);
    default:
      return undefined;
  }
}

/** Adds a line to those before it, newest last. A flush joins the one just before it when both are of one second; one that says the same as the one before it is counted. */
export function append(lines: Line[], line: Line): void {
  const last = lines.at(-1);
  if (last?.flushed && line.flushed && Math.floor(last.time / 1000) === Math.floor(line.time / 1000)) {
    const flushed = { rows: last.flushed.rows + line.flushed.rows, parts: last.flushed.parts + line.flushed.parts };
    lines[lines.length - 1] = { ...last, flushed, text: flushWords(flushed) };
  } else if (last && last.text === line.text && last.stage === line.stage) {
    lines[lines.length - 1] = { ...last, time: line.time, times: (last.times ?? 1) + 1 };
  } else {
    lines.push(line);
  }
}

const flushWords = ({ rows, parts }: { rows: number; parts: number }): string =>
  `Flushed ${plural(rows, "raw row")} into ${plural(parts, "in-memory part")}; now searchable`;
