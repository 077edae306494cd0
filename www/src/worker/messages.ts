// What a page and the worker with its engine say to each other: two closed lists of messages.
//
// Samples and bytes travel as buffers that are transferred, everything else as structured clones. Messages are handled in the
// order in which they were sent. `id` names a call of the page between its message and the one answer to it.

import { type ErrorCode, SandglassError } from "../api/errors.js";
import type { Packed } from "./append_batch.js";
import type { EngineStart } from "../engine/start.js";
import type { EngineRequest } from "../port/requests.js";
import type { PackedSeries } from "./series_pack.js";
import type { EngineEvent } from "../api/events.js";

/** From the page. */
export type Request =
  /** Takes the lock and opens the database. `alive` names another lock, which the worker holds for as long as it lives. */
  | { kind: "start"; id: number; start: EngineStart; alive: string | undefined }
  /** The labels, names and values in turn, of the next handles of series, which the page numbers from 0 on. */
  | { kind: "series"; labels: string[][] }
  | { kind: "append"; id: number; batch: Packed }
  | { kind: "ask"; id: number; command: EngineRequest }
  | { kind: "inspect"; id: number }
  /** Nobody waits for this call any more. */
  | { kind: "cancel"; id: number }
  | { kind: "observe"; observed: boolean }
  | { kind: "ping" }
  /** The browser puts the page away. */
  | { kind: "suspend" }
  /** Of another port that works with the same engine. */
  | { kind: "session"; session: number; request: Request }
  /** Nothing more comes from that port. */
  | { kind: "part"; session: number }
  /** The end of the engine; of a session, which `stays` when others go on with the engine, its own end. */
  | { kind: "close"; id: number; stays: boolean };

/** From the worker. */
export type Reply =
  /** The first message: the worker's code runs, and is of this build of the package. */
  | { kind: "hello"; build: string }
  /** The worker holds the lock of this name for as long as it lives. */
  | { kind: "alive"; name: string }
  | { kind: "pong" }
  /** `now` is the engine's time. */
  | { kind: "answer"; id: number; value: unknown; now: number }
  /** Some of the series of an answer, before it. */
  | { kind: "piece"; id: number; series: PackedSeries }
  | { kind: "appended"; id: number; refused: RefusedBatch | undefined }
  /** All batches up to this one are durable. */
  | { kind: "durable"; id: number }
  | { kind: "failed"; id: number; failure: Failure }
  | { kind: "session"; session: number; reply: Reply }
  /** The engine leaves its page, and nothing follows. */
  | { kind: "moving"; parting: Parting }
  | { kind: "events"; events: EngineEvent[] }
  /** The engine has stopped by itself. */
  | { kind: "ended"; failure: Failure };

/** What is known when an engine goes. */
export interface Parting {
  /** What it had taken from appends is durable, or will be. */
  isSafe: boolean;
  /** What has no answer was not begun. */
  isSettled: boolean;
}

/** Nothing is known, as of an engine that goes without a word. */
export const UNSURE: Parting = { isSafe: false, isSettled: false };

/** How many samples of a batch the engine has refused, and the first reason. */
export interface RefusedBatch {
  samples: number;
  failure: Failure;
}

export type Failure = [code: ErrorCode, message: string];

/** Whether an error of this code may come from a storage that is gone as a whole. */
export const mayBeLost = (code: ErrorCode): boolean => code === "corrupt" || code === "storage";

export function toFailure(error: unknown): Failure {
  if (error instanceof SandglassError) return [error.code, error.message];
  return [
    "internal",
    `the engine's worker has failed: ${String(error)}; what was durable is untouched, open the database again and please report this`,
  ];
}

export function toError([code, message]: Failure): SandglassError {
  return new SandglassError(code, message, code === "interrupted" ? { tookEffect: "unknown" } : undefined);
}
