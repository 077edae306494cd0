// The files that a database in memory is opened with.

import { builtAs, bytesOf, invalid, unreadable } from "../base/shared.js";
import type { OpenOptions } from "../api/options.js";

/** The files as a list, once each was looked at. */
export function filesOf(files: NonNullable<OpenOptions["files"]>): (readonly [string, Uint8Array])[] {
  let list: unknown[];
  try {
    list = [...files];
  } catch (cause) {
    throw unreadable("files can't be listed, pairs of a path and a Uint8Array are expected", cause);
  }
  const pairs = list.map((file, at): readonly [string, Uint8Array] => {
    // Views of another realm become views of this one.
    if (Array.isArray(file) && typeof file[0] === "string" && builtAs(file[1]) === "Uint8Array") return [file[0], bytesOf(file[1])!];
    throw invalid(`files[${at}] must be a pair of a path and a Uint8Array`);
  });
  checkLayout(pairs.map(([path]) => path));
  return pairs;
}

/** Files in other places would be an empty database without a word. */
function checkLayout(paths: string[]): void {
  if (paths.includes("restore-in-progress"))
    throw invalid("files hold restore-in-progress at the top: the directory was being restored and is not whole; restore it again");
  if (paths.length === 0 || paths.some((path) => /^(data|indexdb)\//.test(path))) return;
  const deeper = paths.map((path) => /^(.+?\/)(data|indexdb)\//.exec(path)?.[1]).find((prefix) => prefix !== undefined);
  const remedy =
    deeper !== undefined
      ? `take ${JSON.stringify(deeper)} off the front of the paths`
      : "hand in the files of a data directory or of an unpacked snapshot, not an archive of them";
  throw invalid(`files have no data/ or indexdb/ at the top, but ${JSON.stringify(paths[0])}; ${remedy}`);
}
