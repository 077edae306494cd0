// A snapshot goes into the database piece by piece; what has come becomes the database when all has.

import { checkAborted, checkOptions, offAbort, onAbort } from "../base/shared.js";
import type { Port } from "../port/port.js";
import type { Abortable } from "../api/samples.js";
import type { Progress, RestoreOptions, RestoreResult, SnapshotSource } from "../api/snapshots.js";
import { archiveOf } from "./archive.js";
import { untilEnded } from "./until_ended.js";

const OPTIONS: Record<keyof (RestoreOptions & Abortable), true> = { onProgress: true, signal: true };

export async function restore(
  port: Port,
  source: SnapshotSource,
  options: ((progress: Progress) => void) | (RestoreOptions & Abortable) | undefined,
): Promise<RestoreResult> {
  if (typeof options !== "function") checkOptions(options, OPTIONS, "restore()");
  const { onProgress, signal } = typeof options === "function" ? { onProgress: options, signal: undefined } : (options ?? {});
  checkAborted("restore", signal);
  const until = untilEnded(port, signal);
  try {
    return await restoreFrom(port, archiveOf(source, until.signal), onProgress, signal);
  } finally {
    until.release();
  }
}

async function restoreFrom(
  port: Port,
  archive: ReturnType<typeof archiveOf>,
  onProgress: ((progress: Progress) => void) | undefined,
  signal: AbortSignal | null | undefined,
): Promise<RestoreResult> {
  const feed = async (body: Uint8Array, done: number) => {
    await port.ask({ kind: "restoreFeed", body });
    onProgress?.({ done, total: Math.max(archive.total, done), unit: "bytes" });
  };
  // Nothing is given up when this fails: it may be another one's restoration that stands in its way.
  await port.ask({ kind: "restoreBegin" });
  let feeding = Promise.resolve();
  try {
    // The next piece is read while the engine works on this one.
    for await (const body of archive.pieces) {
      const done = archive.done();
      await feeding;
      checkAborted("restore", signal);
      feeding = feed(body, done);
      // A failure is heard of when it is waited for.
      feeding.catch(() => {});
    }
    await feeding;
    checkAborted("restore", signal);
    const giveUp = () => void port.ask({ kind: "restoreAbort" }).catch(() => {});
    onAbort(signal, giveUp);
    try {
      return await port.ask({ kind: "restoreEnd" });
    } finally {
      offAbort(signal, giveUp);
    }
  } catch (error) {
    await feeding.catch(() => {});
    // What has failed by itself has been given up already.
    await port.ask({ kind: "restoreAbort" }).catch(() => {});
    checkAborted("restore", signal);
    throw error;
  }
}
