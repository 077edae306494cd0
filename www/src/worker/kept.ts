// Batches of samples on their way to the engine of another page: kept until that page has made them durable, so that they can be
// sent again when it goes without a word.

import type { Packed } from "./append_batch.js";

/** What is kept at most. Who appends faster has samples in doubt when the page with the engine is killed. */
const MAX_BYTES = 1024 * 1024;
/** A batch that has met so many ends may be what causes them. */
const MAX_SENDINGS = 3;

interface KeptBatch {
  readonly id: number;
  readonly batch: Packed;
  readonly samples: number;
  readonly bytes: number;
  isTaken: boolean;
  /** How many of its samples have been refused. */
  refused: number;
  sendings: number;
}

/** Whoever appended it was told, and may have appended it again. */
const isRefused = ({ samples, refused }: KeptBatch): boolean => refused > 0 && refused >= samples;

export class Kept {
  #batches: KeptBatch[] = [];
  #bytes = 0;
  /** Samples that there was no room to keep, by the batch they came in. */
  #dropped: { id: number; samples: number }[] = [];

  /** `isSent`: an engine has it already. */
  add(id: number, batch: Packed, isSent: boolean): void {
    const bytes = batch.calls.byteLength + batch.timestamps.byteLength + batch.values.byteLength + batch.series.byteLength;
    this.#batches.push({ id, batch, samples: batch.values.length, bytes, isTaken: false, refused: 0, sendings: isSent ? 1 : 0 });
    this.#bytes += bytes;
    // Those that are not taken yet stay: the window bounds them.
    while (this.#bytes > MAX_BYTES && this.#batches[0]?.isTaken) this.#drop(this.#batches.shift()!);
  }

  #drop({ id, samples, bytes }: KeptBatch): void {
    this.#bytes -= bytes;
    this.#dropped.push({ id, samples });
  }

  /**
   * The engine has this batch in its memory, without the samples that it has refused. Answers how many of these were not refused before: a
   * batch that was sent again is answered again.
   */
  taken(id: number, refused: number): number {
    const batch = this.#batches.find((batch) => batch.id === id);
    if (batch === undefined) return refused;
    batch.isTaken = true;
    const more = Math.max(refused - batch.refused, 0);
    batch.refused += more;
    return more;
  }

  /** All batches up to this one are durable. */
  durable(id: number): void {
    this.#forget((batch) => batch.id <= id);
    this.#dropped = this.#dropped.filter((dropped) => dropped.id > id);
  }

  /** The engine has gone; `isSafe`: it has made durable what it had taken. Answers how many samples are in doubt; `giveUp` gets the batches that are not sent again. */
  lost(isSafe: boolean, giveUp: (id: number) => void): number {
    let inDoubt = 0;
    this.#forget(isRefused);
    if (isSafe) this.#forget(({ isTaken }) => isTaken);
    else inDoubt = this.#dropped.reduce((sum, { samples }) => sum + samples, 0);
    this.#dropped = [];
    this.#forget(({ id, samples, sendings }) => {
      if (sendings < MAX_SENDINGS) return false;
      inDoubt += samples;
      giveUp(id);
      return true;
    });
    return inDoubt;
  }

  /** All that is kept, in order, to be sent to another engine. */
  *resend(): Generator<[id: number, batch: Packed]> {
    this.#forget(isRefused);
    for (const batch of this.#batches) {
      batch.isTaken = false;
      batch.sendings++;
      yield [batch.id, batch.batch];
    }
  }

  /** What has arrived for certain, taken or not. */
  clear(): void {
    this.#forget(() => true);
    this.#dropped = [];
  }

  #forget(isDone: (batch: KeptBatch) => boolean): void {
    this.#batches = this.#batches.filter((batch) => {
      if (!isDone(batch)) return true;
      this.#bytes -= batch.bytes;
      return false;
    });
  }
}
