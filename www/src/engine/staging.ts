// The columns in the engine's memory through which samples cross to it.

import { SandglassError } from "../api/errors.js";
import { unreadable } from "../base/arguments.js";
import { copyNumbers } from "../base/numbers.js";
import type { EnginePort } from "./glue.js";

/** What getters, proxies and buffers that were given away throw is no fault of the engine's. */
function ofCaller(thrown: unknown): SandglassError {
  return thrown instanceof SandglassError ? thrown : unreadable("the samples cannot be read", thrown);
}

export class Staging {
  /** How many samples fit. */
  readonly length: number;
  readonly #engine: EnginePort;
  readonly #memory: WebAssembly.Memory;
  // Of length 0 after the memory has grown.
  #timestamps = new Float64Array(0);
  #timestampBits = new BigInt64Array(0);
  #values = new Float64Array(0);
  #series = new Uint32Array(0);

  constructor(engine: EnginePort, memory: WebAssembly.Memory, length: number) {
    this.#engine = engine;
    this.#memory = memory;
    this.length = length;
  }

  /** Copies `count` samples from `from` on. */
  stage(
    timestamps: Float64Array | BigInt64Array | readonly number[],
    values: Float64Array | readonly number[],
    from: number,
    count: number,
  ): void {
    this.#refresh();
    try {
      if (timestamps instanceof BigInt64Array) {
        this.#timestampBits.set(count === timestamps.length ? timestamps : timestamps.subarray(from, from + count));
      } else {
        copyNumbers(this.#timestamps, 0, timestamps, from, count, "timestamps");
      }
      copyNumbers(this.#values, 0, values, from, count);
    } catch (thrown) {
      throw ofCaller(thrown);
    }
  }

  /** Copies `count` values from `from` on, and lets `fill` write as many handles. */
  stageRow(
    fill: (target: Uint32Array, from: number, count: number) => void,
    values: Float64Array | readonly number[],
    from: number,
    count: number,
  ): void {
    this.#refresh();
    try {
      fill(this.#series, from, count);
      copyNumbers(this.#values, 0, values, from, count);
    } catch (thrown) {
      throw ofCaller(thrown);
    }
  }

  #refresh(): void {
    if (this.#values.length !== 0) return;
    const { buffer } = this.#memory;
    this.#timestamps = new Float64Array(buffer, this.#engine.stagedTimestamps(), this.length);
    this.#timestampBits = new BigInt64Array(buffer, this.#engine.stagedTimestamps(), this.length);
    this.#values = new Float64Array(buffer, this.#engine.stagedValues(), this.length);
    this.#series = new Uint32Array(buffer, this.#engine.stagedSeries(), this.length);
  }
}
