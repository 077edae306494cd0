// Compiled, never run: the public types hold exactly what the engine serialises (shapes.ts), and nothing that it does not.
import type { IndexBlockDetails, PartDetails } from "../../src/api/blocks.js";
import type { EngineEvent } from "../../src/api/events.js";
import type { IngestResult } from "../../src/api/samples.js";
import type { EngineState, MemoryState, SchedulerState } from "../../src/api/state.js";
import type { events } from "./shapes.js";

/** What the calling thread adds to the engine's own state. */
export type StateOfEngine = Omit<EngineState, "scheduler" | "memory"> & {
  scheduler: Omit<SchedulerState, "waitsForStorage" | "longestSliceMs" | "slicesOver8Ms">;
  memory: Omit<MemoryState, "wasmBytes">;
};

/** The compiler takes a list of four numbers for any list. */
export type PartOfEngine = Omit<PartDetails, "fileBytes"> & { fileBytes: number[] };

export type IndexBlockOfEngine = Omit<IndexBlockDetails, "itemsAt" | "lensAt"> & { itemsAt: number[]; lensAt: number[] };

/** `null` becomes an absent line on the way. */
export type IngestedByEngine = Omit<IngestResult, "errors"> & { errors: { line: number | null; message: string }[] };

type Equal<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

/** No event and no word of an event is missing in the types, and none is too many. */
export const allEvents: Equal<EngineEvent["type"], (typeof events)[number]["type"]> = true;
type Started = Extract<(typeof events)[number], { type: "mergeStarted" }>;
type Created = Extract<(typeof events)[number], { type: "partCreated" }>;
export const allReasons: Equal<Extract<EngineEvent, { type: "mergeStarted" }>["reason"], Started["reason"]> = true;
export const allClasses: Equal<Extract<EngineEvent, { type: "partCreated" }>["class"], Created["class"]> = true;
