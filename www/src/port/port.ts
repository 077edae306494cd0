// What the database asks of an engine, wherever that runs: one closed list of commands with their answers, and the few calls
// that are too frequent for messages.

import type { Bounds } from "../base/arguments.js";
import type { BlockHeader, Course, IndexBlockDetails, PartDetails } from "../api/blocks.js";
import type { EngineEvent } from "../api/events.js";
import type { Opened } from "../api/options.js";
import type { IngestResult, Labels, SeriesData } from "../api/samples.js";
import type { EngineState, PartId } from "../api/state.js";

/** One file of a snapshot as a server wants it. */
export interface SnapshotFile {
  /** Path below the server's `-storageDataPath`. */
  path: string;
  /** Where its bytes lie in this database. */
  source: string;
  sizeBytes: number;
}

/** What the engine tells of a block beside its columns. */
export interface BlockRecord {
  header: BlockHeader;
  timestampsCourse: Course;
  valuesCourse: Course;
}

/** A block at all stages: the record, the header's bytes, timestamps, mantissas, values, and of timestamps and mantissas the varints and what is stored. */
export type BlockPieces = [
  record: BlockRecord,
  header: Uint8Array,
  timestamps: BigInt64Array,
  mantissas: BigInt64Array,
  values: Float64Array,
  timestampVarints: Uint8Array,
  timestampBytes: Uint8Array,
  valueVarints: Uint8Array,
  valueBytes: Uint8Array,
];

export interface HttpReply {
  status: number;
  contentType: string;
  body: Uint8Array;
}

/** One line for each command: its arguments, and what it answers. */
interface Protocol {
  flush: [object, void];
  sync: [object, void];
  forceMerge: [{ partitionPrefix: string }, void];
  tick: [{ ms: number }, void];
  /** Whole lines of a body; `extraLabels` are names and values in turn. */
  ingest: [{ format: "prometheus" | "jsonl"; body: Uint8Array; timestamp: number; extraLabels: string[]; firstLine: number; bodyNumber: number }, IngestResult];
  select: [Bounds & { selector: string }, SeriesData[]];
  labels: [Bounds & { selector: string | undefined }, Labels[]];
  labelNames: [Bounds & { selector: string | undefined }, string[]];
  labelValues: [Bounds & { name: string; selector: string | undefined }, string[]];
  exportOpen: [Bounds & { selector: string | undefined }, number];
  /** The next piece; `null` at the end, which closes the cursor. */
  exportNext: [{ cursor: number }, Uint8Array | null];
  exportClose: [{ cursor: number }, void];
  snapshotCreate: [object, string];
  snapshotList: [object, string[]];
  snapshotDelete: [{ name: string }, void];
  snapshotDeleteAll: [object, void];
  snapshotFiles: [{ name: string }, SnapshotFile[]];
  snapshotRead: [{ source: string; offset: number; length: number }, Uint8Array];
  inspectPart: [{ part: PartId; from: number; count: number }, PartDetails];
  inspectBlock: [{ part: PartId; block: number }, BlockPieces];
  inspectIndexBlock: [{ table: number; part: number; block: number }, IndexBlockDetails];
  http: [{ method: string; uri: string; contentType: string; body: Uint8Array }, HttpReply];
}

export type Kind = keyof Protocol;
export type Command = { [K in Kind]: { kind: K } & Protocol[K][0] }[Kind];
export type Answer<K extends Kind> = Protocol[K][1];

/** An engine, open. Every failure is a `SandglassError`. */
export interface Port {
  /** Whether it may write. */
  readonly role: Opened["role"];
  /** The handle of a series; `labels` are names and values in turn. */
  series(labels: string[]): number;
  /** Resolves when the samples are accepted. */
  append(series: number, timestamps: Float64Array | BigInt64Array | readonly number[], values: Float64Array | readonly number[]): Promise<void>;
  /** One sample for each of the series at one instant. `fill` writes `count` handles, from the one at `from` on, into `target`. */
  appendRow(
    fill: (target: Uint32Array, from: number, count: number) => void,
    timestamp: number,
    values: Float64Array | readonly number[],
  ): Promise<void>;
  /** `signal` gives up the call: a command that only reads ends, the others go on without anybody who waits for them. */
  ask<K extends Kind>(command: { kind: K } & Protocol[K][0], signal?: AbortSignal): Promise<Answer<K>>;
  /** The engine's time. */
  now(): number;
  inspect(signal?: AbortSignal): Promise<EngineState>;
  /** Hands events to `listener` from now on; to nobody without one. */
  observe(listener: ((events: EngineEvent[]) => void) | undefined): void;
  /** The page can't be seen any more, and the browser may end it without a word: what waits is written now rather than in some seconds. */
  hidden(): void;
  /** The browser puts the page away: as much as can be done at once is handed to the storage, and nothing is done any more. */
  suspend(): void;
  /** Ends the engine without a word and starts another on the files it leaves; for databases in memory. Only ports in the calling thread can. */
  crash?(): Promise<Port>;
  /** The memory of an engine in the calling thread. */
  readonly memory?: WebAssembly.Memory | undefined;
  /** Flushes, makes durable, and frees all, the lock too. */
  close(): Promise<void>;
}

/** How errors call a command. */
export function nameOf(command: Command): string {
  return command.kind === "http" ? "fetch" : command.kind;
}

/** What to do with an answer that nobody waits for any more: an export that was opened in vain would hold its parts. */
export function latecomer(port: Port, command: Command): ((answer: unknown) => void) | undefined {
  if (command.kind !== "exportOpen") return undefined;
  return (cursor) => void port.ask({ kind: "exportClose", cursor: cursor as number }).catch(() => {});
}
