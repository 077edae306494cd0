// What build.mjs makes of the glue that wasm-bindgen wrote: the same module, to be had any number of times, so that every
// database has an instance of its own.
import type * as Module from "../../pkg/sandglass.js";

export type { EngineOptions, EnginePort } from "../../pkg/sandglass.js";
export interface Glue extends Pick<typeof Module, "EnginePort" | "lastPanic"> {
  /** Makes the instance; its memory is the answer. */
  instantiate(code: WebAssembly.Module): Promise<WebAssembly.Memory>;
  /** Lets go of an engine that has failed: it is not freed, not even when it is collected. */
  abandon(engine: Module.EnginePort): void;
}
export function createGlue(): Glue;
