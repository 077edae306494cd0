// Series and samples on their way to an engine behind messages: calls of one task go together, and how many are under way is bounded.

import { SandglassError } from "../api/errors.js";
import { checkTimestamp, checkTimestamps } from "../base/arguments.js";
import { Macrotask } from "../base/macrotask.js";
import { canonical } from "../port/labels.js";
import { BATCH_SAMPLES, Batch, type Packed, packLong, packLongRow, type Timestamps, type Values } from "./append_batch.js";
import { AppendWindow } from "./append_window.js";
import { Kept } from "./kept.js";
import { Refusals } from "./refusals.js";
import type { Wire } from "./wire.js";

export class Outbox {
  readonly refusals = new Refusals();
  #wire: Wire | undefined;
  /** Whether the engine takes what is sent. */
  #isHeard = false;
  #lastId = 0;
  /** How many samples each message had that was not answered. */
  readonly #appends = new Map<number, number>();
  readonly #window = new AppendWindow();
  readonly #kept = new Kept();
  /** Handles of series by their labels in canonical form, their labels in the order of the handles, and how many the engine knows. */
  readonly #handles = new Map<string, number>();
  #labels: string[][] = [];
  #known = 0;
  readonly #batch = new Batch();
  /** Sends what the task that is running now has appended. */
  readonly #flushTask = new Macrotask(() => {
    this.flush();
    this.#window.endTurn();
  });
  /** Called before a message goes that somebody will answer. */
  readonly #sending: () => void;

  constructor(sending: () => void) {
    this.#sending = sending;
  }

  /** The last batch that was made up. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Messages that were not answered. */
  get unanswered(): number {
    return this.#appends.size;
  }

  /** Samples of which nobody has said yet what became of them. */
  get samples(): number {
    return this.#window.samples;
  }

  series(labels: string[]): number {
    const key = canonical(labels);
    let handle = this.#handles.get(key);
    if (handle === undefined) {
      handle = this.#handles.size;
      this.#handles.set(key, handle);
      this.#labels.push(labels);
      this.#flushSoon();
    }
    return handle;
  }

  append(series: number, timestamps: Timestamps, values: Values): Promise<void> {
    checkTimestamps(timestamps);
    if (this.#makeRoom(values.length)) this.#batch.add(series, timestamps, values);
    else this.#send(packLong(series, timestamps, values));
    return this.#onItsWay(values.length);
  }

  appendRow(fill: (target: Uint32Array, from: number, count: number) => void, timestamp: number, values: Values): Promise<void> {
    checkTimestamp(timestamp, "the timestamp");
    if (this.#makeRoom(values.length)) this.#batch.addRow(fill, timestamp, values);
    else this.#send(packLongRow(fill, timestamp, values));
    return this.#onItsWay(values.length);
  }

  /** Whether a call of so many samples goes with others; there is room for it then. */
  #makeRoom(samples: number): boolean {
    if (samples > BATCH_SAMPLES) {
      this.flush();
      return false;
    }
    if (!this.#batch.hasRoom(samples)) this.flush();
    return true;
  }

  #onItsWay(samples: number): Promise<void> {
    this.#flushSoon();
    return this.#window.add(samples);
  }

  /** All calls of one task go together. */
  #flushSoon(): void {
    if (this.#flushTask.requested) return;
    this.#flushTask.request();
    this.#window.beginTurn();
  }

  /** Sends what was collected; where there is no engine at the moment, it waits for one. */
  flush(): void {
    this.#tellSeries();
    if (!this.#batch.isEmpty) this.#send(this.#batch.take());
  }

  #tellSeries(): void {
    if (this.#wire === undefined || this.#known === this.#labels.length) return;
    this.#wire.post({ kind: "series", labels: this.#labels.slice(this.#known) }, []);
    this.#known = this.#labels.length;
  }

  #send(batch: Packed): void {
    const id = ++this.#lastId;
    this.#sending();
    this.#appends.set(id, batch.values.length);
    if (this.#wire?.isLocal !== true) this.#kept.add(id, batch, this.#wire !== undefined);
    if (this.#wire === undefined) return;
    const buffers = [batch.calls, batch.timestamps, batch.values, batch.series].map(({ buffer }) => buffer);
    this.#wire.post({ kind: "append", id, batch }, this.#wire.isLocal ? buffers : []);
  }

  /** What became of a batch. */
  answered(id: number, refused: { samples: number; reason: SandglassError } | undefined): void {
    this.#settle(id);
    const samples = this.#kept.taken(id, refused?.samples ?? 0);
    if (refused !== undefined && samples > 0) this.refusals.add(samples, refused.reason);
  }

  /** Nothing more is heard of a batch: others have its room. */
  #settle(id: number): void {
    this.#window.give(this.#appends.get(id) ?? 0);
    this.#appends.delete(id);
  }

  /** All batches up to this one outlive the page with the engine. */
  durable(id: number): void {
    this.#kept.durable(id);
  }

  /**
   * Another engine is there: it is told of all series, and gets what was not durable where the last one was. `sendBehind` sends the calls that
   * come behind a batch, so that they keep their places.
   */
  link(wire: Wire, sendBehind: (batch: number) => void): void {
    this.#wire = wire;
    this.#isHeard = wire.isLocal;
    void wire.heard.then(() => (this.#isHeard ||= this.#wire === wire));
    this.#known = 0;
    this.#tellSeries();
    for (const [id, batch] of this.#kept.resend()) {
      sendBehind(id - 1);
      wire.post({ kind: "append", id, batch }, []);
    }
    sendBehind(this.#lastId);
    if (wire.isLocal) this.#kept.clear();
    this.flush();
  }

  /** The engine's page has gone, `isSafe` after it had made durable what it had taken. */
  unlink(isSafe: boolean): void {
    const wire = this.#wire;
    this.#wire = undefined;
    this.#isHeard = false;
    if (wire === undefined) return;
    if (wire.isLocal) return this.#arrived();
    const inDoubt = this.#kept.lost(isSafe, (id) => this.#settle(id));
    if (inDoubt > 0) {
      const words = `${inDoubt} samples were in the memory of a page that has gone, and are lost unless it had stored them`;
      this.refusals.add(inDoubt, new SandglassError("interrupted", words, { samples: inDoubt, tookEffect: "unknown" }));
    }
  }

  /** This page goes: what it has sent arrives, as messages outlive who has sent them. What nobody has taken is kept, should it come back. */
  leave(): void {
    this.flush();
    if (this.#isHeard) this.#arrived();
    this.#isHeard = false;
    this.#wire = undefined;
  }

  #arrived(): void {
    this.#kept.clear();
    for (const samples of this.#appends.values()) this.#window.give(samples);
    this.#appends.clear();
  }

  /** Nothing is taken any more. */
  end(reason: SandglassError): void {
    this.#flushTask.stop();
    this.#window.end(reason);
    this.#appends.clear();
    this.#kept.clear();
    this.#handles.clear();
    this.#labels = [];
    this.#wire = undefined;
  }
}
