// The log of a LevelDB, in which Chromium keeps its IndexedDB: how many records it has.
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

const BLOCK_BYTES = 32 * 1024;
/** In front of a record: a checksum, its length, its type. */
const HEADER_BYTES = 7;

/** How many records, whole or fragments of longer ones, a log has, each of which is written on its own. */
export function recordsIn(log) {
  let records = 0;
  for (let at = 0; at + HEADER_BYTES <= log.length; ) {
    const left = BLOCK_BYTES - (at % BLOCK_BYTES);
    const type = log[at + 6];
    // Behind the last record of a block come zeros, and so they do in a log whose room was taken beforehand.
    if (left < HEADER_BYTES || type === 0) {
      at += left;
      continue;
    }
    if (type > 4) throw new Error(`a record of the type ${type} at byte ${at}: this is no log of a LevelDB`);
    records++;
    at += HEADER_BYTES + log.readUInt16LE(at + 4);
  }
  return records;
}

/** The logs of all IndexedDB databases of a profile: their names, lengths and records. */
export async function logsOf(profile) {
  const root = join(profile, "Default/IndexedDB");
  const logs = [];
  for (const folder of (await readdir(root)).filter((name) => name.endsWith(".leveldb"))) {
    for (const name of (await readdir(join(root, folder))).filter((name) => name.endsWith(".log"))) {
      const log = await readFile(join(root, folder, name));
      logs.push({ name: `${folder}/${name}`, bytes: log.length, records: recordsIn(log) });
    }
  }
  return logs;
}
