// The files that a database in memory is opened with.

import { invalid, unreadable } from "../base/shared.js";
import type { OpenOptions } from "../api/options.js";

/** The files as a list, once each was looked at. */
export function filesOf(files: NonNullable<OpenOptions["files"]>): (readonly [string, Uint8Array])[] {
  let list: unknown[];
  try {
    list = [...files];
  } catch (cause) {
    throw unreadable("files can't be listed, pairs of a path and a Uint8Array are expected", cause);
  }
  list.forEach((file, at) => {
    if (!Array.isArray(file) || typeof file[0] !== "string" || !(file[1] instanceof Uint8Array))
      throw invalid(`files[${at}] must be a pair of a path and a Uint8Array`);
  });
  return list as (readonly [string, Uint8Array])[];
}
