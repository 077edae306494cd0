// What the database asks of an engine, wherever that runs: one closed list of requests with their answers. They cross to a worker
// and to the engine as they are; src/wasm/request.rs reads them.

import type { BlockHeader, Course, IndexBlockDetails, PartDetails } from "../api/blocks.js";
import type { IngestResult, SeriesData } from "../api/samples.js";
import type { Layout, RestoreResult } from "../api/snapshots.js";
import type { PartId } from "../api/state.js";
import type { Bounds } from "../base/arguments.js";

/** One file of a snapshot as a server wants it. */
export interface SnapshotFile {
  /** Path below the server's `-storageDataPath`. */
  path: string;
  /** Where its bytes lie in this database; empty when they are here. */
  source: string;
  sizeBytes: number;
  /** The text of a file that was made for the layout. */
  content: string | null;
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

/** What names numbers as JSON text, and the numbers. */
export type NamedNumbers = [names: string, numbers: Float64Array];

/** A body, how many samples it has, and where the window goes on behind it, which is empty at its end. */
export type PushPiece = [body: Uint8Array, samples: number, next: string];

export type LateSamples = [cursor: number, start: number, end: number];

/** A reply whose body goes on comes with a cursor, as of an export. */
export type HttpReply = [status: number, headers: [name: string, value: string][], body: Uint8Array, rest: number | undefined];

/** Label sets as the JSON text of a list of objects: read once, by the one who hands them to the user. */
export type LabelSetsText = string;

/** One line for each request: its fields, and what it answers. A field `body` crosses by itself. */
interface Table {
  /** `isQuiet`: what was refused before is left to be told to those who have appended it. */
  flush: [{ isQuiet?: true }, void];
  sync: [object, void];
  forceMerge: [{ partitionPrefix: string }, void];
  tick: [{ ms: number }, void];
  select: [Bounds & { selector: string }, SeriesData[]];
  labels: [Bounds & { selector: string | undefined }, LabelSetsText];
  labelNames: [Bounds & { selector: string | undefined }, string[]];
  labelValues: [Bounds & { name: string; selector: string | undefined }, string[]];
  exportOpen: [Bounds & { selector: string | undefined }, number];
  /** The next piece; `null` at the end, which closes the cursor. */
  exportNext: [{ cursor: number }, Uint8Array | null];
  exportClose: [{ cursor: number }, void];
  /** A window of time in bodies as a push sends them, from a place of it on that `pushNext` has told; `protocol` is "remote_write", or a layout of native blocks. */
  pushOpen: [Bounds & { selector: string | undefined; protocol: string; from: string }, number];
  /** The next body; `null` at the end, which closes the cursor. `exportClose` closes it before. */
  pushNext: [{ cursor: number }, PushPiece | null];
  /** Where the windows of the length `window` begin, multiples of it, in which there are samples; in order. */
  pushWindows: [Bounds & { selector: string | undefined; window: number }, Float64Array];
  /** What is accepted from now on and is no later than `until` comes late for whoever has this name. */
  pushWatch: [{ watch: string; until: number }, void];
  pushUnwatch: [{ watch: string }, void];
  /** What has come late since the last call: a cursor as of `pushOpen`, and from when to when it is. */
  pushLate: [{ watch: string; selector: string | undefined; protocol: string }, LateSamples | null];
  snapshotCreate: [object, string];
  snapshotList: [object, string[]];
  snapshotDelete: [{ name: string }, void];
  snapshotDeleteAll: [object, void];
  snapshotFiles: [{ name: string; layout: Layout }, SnapshotFile[]];
  snapshotRead: [{ source: string; offset: number; length: number }, Uint8Array];
  deleteSeries: [{ selector: string }, number];
  /** With a time it is of that instant, with start, end and step of a range; all in milliseconds. */
  query: [
    {
      expression: string;
      dialect: string | undefined;
      time?: number;
      start?: number;
      end?: number;
      step?: number;
      lookback: number | undefined;
      fresh: boolean;
      maxSeries: number | undefined;
      maxSamples: number | undefined;
      timeout: number | undefined;
      trace: boolean;
      /** It will be asked again, of a range that has moved on. */
      follow: boolean;
      /** What is there of a range already: how many instants, from which one on, as of which moment. */
      held?: { standing: readonly number[]; start: number; points: number };
    },
    NamedNumbers,
  ];
  latest: [{ selector: string; within: number }, NamedNumbers];
  count: [Bounds & { selector: string | undefined }, number];
  envelope: [{ selector: string; start: number; end: number; columns: number }, NamedNumbers];
  /** A body of any format, in pieces; the number that is answered names it. */
  ingestOpen: [{ format: string; csvFormat: string; contentEncoding: string; timestamp: number; extraLabels: string[] }, number];
  ingestPiece: [{ ingest: number; body: Uint8Array }, void];
  ingestEnd: [{ ingest: number }, IngestResult];
  ingestClose: [{ ingest: number }, void];
  /** What a snapshot is that is looked at where it lies. */
  origin: [object, RestoreResult];
  /** Into a database that is empty; nothing else is written until the end. */
  restoreBegin: [object, void];
  /** The next piece of a tar, plain or compressed by zstd. */
  restoreFeed: [{ body: Uint8Array }, void];
  restoreEnd: [object, RestoreResult];
  restoreAbort: [object, void];
  inspectPart: [{ part: PartId; from: number; count: number }, PartDetails];
  inspectBlock: [{ part: PartId; block: number }, BlockPieces];
  inspectIndexBlock: [{ table: number; part: number; block: number }, IndexBlockDetails];
  http: [{ method: string; uri: string; contentType: string; contentEncoding: string; body: Uint8Array }, HttpReply];
}

export type Kind = keyof Table;
export type RequestOf<K extends Kind> = { kind: K } & Table[K][0];
export type AnswerTo<K extends Kind> = Table[K][1];
/** Any of them. */
export type EngineRequest = { [K in Kind]: RequestOf<K> }[Kind];

/** How errors call a request. */
export function nameOf({ kind }: EngineRequest): string {
  return kind === "http" ? "fetch" : (/^(restore|push|ingest)/.exec(kind)?.[0] ?? kind);
}

/** The body of a request that carries one. */
export function bodyOf(request: EngineRequest): Uint8Array | undefined {
  return "body" in request ? request.body : undefined;
}

/** The request with another body, or with none. */
export function withBody(request: EngineRequest, body: Uint8Array | undefined): EngineRequest {
  return "body" in request ? ({ ...request, body } as EngineRequest) : request;
}

/** The request in a language, where it does not say which; a form that does comes first. */
export function inDialect(request: EngineRequest, dialect: string): EngineRequest {
  if (request.kind === "http") {
    if (/[?&]dialect=/.test(request.uri) || !isReading(request.method, request.uri)) return request;
    return { ...request, uri: `${request.uri}${request.uri.includes("?") ? "&" : "?"}dialect=${dialect}` };
  }
  return "dialect" in request && request.dialect === undefined ? { ...request, dialect } : request;
}

/** Whether a request only reads, as its path tells. Clients send long expressions as forms. */
export function isReading(method: string, uri: string): boolean {
  // A preflight does nothing, whatever the path.
  if (method === "OPTIONS") return true;
  const path = uri.split("?", 1)[0]!;
  return !WRITES.test(path) && (/^(GET|HEAD)$/.test(method) || READS.test(path));
}

/** Paths of the engine that read though they are asked by POST; all others are taken for what writes then. */
const READS = /\/api\/v1\/(query(_range|_exemplars)?|series|labels|label\/[^/]+\/values|format_query|export(\/\w+)?)$|\/federate$/;
/** The path of an import may go on with labels, which may look like anything. */
const WRITES = /\/api\/v1\/(import|push$|admin)|\/write$|\/v1\/metrics$|^\/(internal|snapshot\/[cd])/;

/** Whether it goes on with what is known to the engine alone that has begun it: an export, a body in pieces, a snapshot being restored. */
export function goesOn(request: EngineRequest): boolean {
  return "cursor" in request || "ingest" in request || /^restore(Feed|End|Abort)$/.test(request.kind);
}

/** Whether samples come in with it. */
export function takesIn(request: EngineRequest): boolean {
  if (request.kind === "http") return !isReading(request.method, request.uri);
  return request.kind === "ingestPiece" || request.kind === "ingestEnd";
}

/** Whether a request deletes series: samples that were taken before must not come back with what is sent to the next engine. */
export function deletes(request: EngineRequest): boolean {
  return request.kind === "deleteSeries" || (request.kind === "http" && request.uri.includes("/admin/tsdb/delete_series"));
}

/**
 * Whether an engine may be asked once more when nobody knows what another one has made of the request: what reads, or comes to the
 * same however often it is done. What deletes would take what has come since, too.
 */
export function isRepeatable(request: EngineRequest): boolean {
  switch (request.kind) {
    case "snapshotCreate":
    case "snapshotDelete":
    case "snapshotDeleteAll":
    case "deleteSeries":
    case "restoreBegin":
    case "pushLate":
      return false;
    case "http":
      return isReading(request.method, request.uri);
    default:
      return !goesOn(request);
  }
}
