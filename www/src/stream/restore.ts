// A snapshot goes into the database piece by piece; what has come becomes the database when all has.

import { checkAborted, checkOptions } from "../base/shared.js";
import type { Port } from "../port/port.js";
import type { Abortable } from "../api/samples.js";
import type { Progress, RestoreOptions, RestoreResult, SnapshotSource } from "../api/snapshots.js";
import { archiveOf } from "./archive.js";

const OPTIONS: Record<keyof (RestoreOptions & Abortable), true> = { onProgress: true, signal: true };

export async function restore(
  port: Port,
  source: SnapshotSource,
  options: ((progress: Progress) => void) | (RestoreOptions & Abortable) | undefined,
): Promise<RestoreResult> {
  if (typeof options !== "function") checkOptions(options, OPTIONS, "restore()");
  const { onProgress, signal } = typeof options === "function" ? { onProgress: options, signal: undefined } : (options ?? {});
  checkAborted("restore", signal);
  const archive = archiveOf(source, signal);
  await port.ask({ kind: "restoreBegin" });
  try {
    for await (const body of archive.pieces) {
      checkAborted("restore", signal);
      await port.ask({ kind: "restoreFeed", body });
      onProgress?.({ done: archive.done(), total: archive.total || archive.done(), unit: "bytes" });
    }
    checkAborted("restore", signal);
    return await port.ask({ kind: "restoreEnd" });
  } catch (error) {
    // What has failed by itself has been given up already.
    await port.ask({ kind: "restoreAbort" }).catch(() => {});
    checkAborted("restore", signal);
    throw error;
  }
}
