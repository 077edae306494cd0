// An engine as the database sees it, wherever it runs: requests, and the few calls that are too frequent for messages.

import type { SandglassError } from "../api/errors.js";
import type { EngineEvent } from "../api/events.js";
import type { Opened } from "../api/options.js";
import type { EngineState } from "../api/state.js";
import type { AnswerTo, EngineRequest, HttpReply, Kind, LateSamples, RequestOf } from "./requests.js";

/** An engine, open. Every failure is a `SandglassError`. */
export interface Port {
  /** Whether it may write. */
  readonly role: Opened["role"];
  /** Resolves with the reason when nothing is possible any more. */
  readonly ended: Promise<SandglassError>;
  /** The handle of a series; `labels` are names and values in turn. */
  series(labels: string[]): number;
  /** Resolves when the samples are accepted. */
  append(
    series: number,
    timestamps: Float64Array | BigInt64Array | readonly number[],
    values: Float64Array | readonly number[],
  ): Promise<void>;
  /** One sample for each of the series at one instant. `fill` writes `count` handles, from the one at `from` on, into `target`. */
  appendRow(
    fill: (target: Uint32Array, from: number, count: number) => void,
    timestamp: number,
    values: Float64Array | readonly number[],
  ): Promise<void>;
  /** `signal` gives up the call: a request that only reads ends, the others go on with the engine that was asked; another one is not asked. */
  ask<K extends Kind>(request: RequestOf<K>, signal?: AbortSignal): Promise<AnswerTo<K>>;
  /** So many bytes of a body may be handed over in pieces while those before them are worked on. Pieces keep their order. */
  readonly aheadBytes: number;
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

/** The cursor that a command has opened, by its answer. */
export function cursorOf(kind: EngineRequest["kind"], answer: unknown): number | undefined {
  if (kind === "http") return (answer as HttpReply)[3];
  return kind === "pushLate" ? (answer as LateSamples | null)?.[0] : (answer as number);
}

/** What to do with an answer that nobody waits for any more: an export that was opened in vain would hold its parts. */
export function latecomer(port: Port, request: EngineRequest): ((answer: unknown) => void) | undefined {
  if (request.kind !== "exportOpen" && request.kind !== "pushOpen" && request.kind !== "pushLate" && request.kind !== "http")
    return undefined;
  return (answer) => {
    const cursor = cursorOf(request.kind, answer);
    if (cursor !== undefined) port.ask({ kind: "exportClose", cursor }).catch(() => {});
  };
}
