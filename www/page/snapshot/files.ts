// The files of a snapshot or of a stopped server's data directory, as a tar or as a folder, brought into the layout that the
// engine opens: the one of servers up to 1.89. Newer ones have the same bytes below other names, and lists of parts.

import { unpackTar } from "modern-tar";

export interface Archive {
  /** Which servers write it so. */
  layout: "up to 1.89" | "1.90 to 1.132" | "1.133 and later";
  files: Map<string, Uint8Array>;
}

/** What was dropped or chosen: one tar, or files with their paths. */
export interface Given {
  path: string;
  file: File;
}

const MOST_BYTES = 1 << 30;
const GZIP = [0x1f, 0x8b];

export async function read(given: readonly Given[]): Promise<Archive> {
  const [only] = given;
  const size = given.reduce((sum, { file }) => sum + file.size, 0);
  if (size > MOST_BYTES) throw new Error(`these files take ${Math.round(size / 1e6)} MB; up to ${Math.round(MOST_BYTES / 1e6)} MB are opened here, in memory`);
  const files = given.length === 1 && only && !only.path.includes("/") ? await untar(only.file) : await contents(given);
  return arrange(rooted(files));
}

/** All files of what was dropped, folders with what is in them. */
export async function below(entries: readonly FileSystemEntry[]): Promise<Given[]> {
  return (await Promise.all(entries.map(belowOne))).flat();
}

async function belowOne(entry: FileSystemEntry): Promise<Given[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [{ path: entry.fullPath.replace(/^\//, ""), file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: Given[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    found.push(...(await below(some)));
  }
}

async function contents(given: readonly Given[]): Promise<Map<string, Uint8Array>> {
  return new Map(await Promise.all(given.map(async ({ path, file }) => [path, new Uint8Array(await file.arrayBuffer())] as const)));
}

async function untar(file: File): Promise<Map<string, Uint8Array>> {
  const head = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const plain = GZIP.every((byte, i) => head[i] === byte) ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file.stream();
  try {
    const entries = await unpackTar(plain, { strict: true });
    return new Map(entries.flatMap(({ header, data }) => (header.type === "file" && data ? [[header.name, data] as const] : [])));
  } catch (error) {
    throw new Error(`“${file.name}” cannot be unpacked as a tar (${(error instanceof Error ? error.message : String(error)).replace(/\.$/, "")}). A snapshot is a folder: pack it with tar -chf snapshot.tar -C snapshots/NAME . or drop the folder itself`);
  }
}

/** Without what stands before the data directory. */
function rooted(files: Map<string, Uint8Array>): Map<string, Uint8Array> {
  const paths = [...files.keys()].map((path) => path.replace(/^(\.\/)+/, ""));
  const roots = paths.flatMap((path) => /^(.*?)data\/(?:small|big)\//.exec(path)?.[1] ?? []);
  const root = roots.sort((a, b) => a.length - b.length)[0];
  if (root === undefined) {
    const example = paths[0] === undefined ? "nothing" : `“${paths[0]}”${paths.length > 1 ? ` and ${paths.length - 1} more` : ""}`;
    throw new Error(`there is no data/small or data/big in it, but ${example}: a snapshot of VictoriaMetrics has data/ and indexdb/ at its top. Links must be followed when it is packed (tar -h, cp -L)`);
  }
  const inside = new Map<string, Uint8Array>();
  for (const [path, content] of files) {
    const plain = path.replace(/^(\.\/)+/, "");
    // A data directory holds snapshots of itself.
    if (plain.startsWith(root) && !/(^|\/)(snapshots|tmp)\//.test(plain.slice(root.length))) inside.set(plain.slice(root.length), content);
  }
  return inside;
}

// ---- newer layouts -----------------------------------------------------------------------------------------------------

const DATA_PART = /^data\/(small|big)\/(\d{4}_\d\d)\/([0-9A-F]{16})\/(.+)$/;
const INDEX_PART = /^(?:indexdb\/([0-9A-F]{16})|data\/indexdb\/(\d{4}_\d\d))\/(?:(\d+_\d+)_)?([0-9A-F]{16})\/(.+)$/;
/** The two tables of an index: the current one, and the one before it. */
const [TABLE, TABLE_BEFORE] = ["FFFFFFFFFFFFFFF1", "FFFFFFFFFFFFFFF0"];

function arrange(files: Map<string, Uint8Array>): Archive {
  const paths = [...files.keys()];
  if (!paths.some((path) => /(^|\/)parts\.json$/.test(path) || DATA_PART.test(path))) return { layout: "up to 1.89", files };
  const monthly = paths.some((path) => path.startsWith("data/indexdb/"));
  const listed = listedParts(files);
  const arranged = new Map<string, Uint8Array>();
  const names = new Map<string, string>();
  for (const [path, content] of files) {
    const data = DATA_PART.exec(path);
    const index = INDEX_PART.exec(path);
    if (data) {
      const [, size = "", month = "", part = "", file = ""] = data;
      const list = listed.get(`data/small/${month}`);
      if ((list && !list.has(part)) || file === "metadata.json") continue;
      const from = path.slice(0, -file.length - 1);
      if (!names.has(from)) {
        names.set(from, `data/${size}/${month}/${dataName(part, metadata(files, from))}`);
        arranged.set(`${names.get(from)}/min_dedup_interval`, new TextEncoder().encode("0s"));
      }
      arranged.set(`${names.get(from)}/${file}`, content);
    } else if (index) {
      const [, table = "", month = "", oldNumbers, suffix = "", file = ""] = index;
      const list = listed.get(table ? `indexdb/${table}` : `data/indexdb/${month}`);
      if (list && !list.has(oldNumbers ? `${oldNumbers}_${suffix}` : suffix)) continue;
      const { ItemsCount, BlocksCount } = metadata(files, path.slice(0, -file.length - 1));
      // A part is a sorted set of items: those of all months, and of the index before there was one a month, can stand in one table.
      arranged.set(`indexdb/${monthly ? TABLE : table}/${oldNumbers ?? numbers(ItemsCount, BlocksCount)}_${suffix}/${file}`, content);
    } else if (!/(^|\/)parts\.json$/.test(path) && !(monthly && path.startsWith("indexdb/"))) arranged.set(path, content);
  }
  const tables = new Set([...arranged.keys()].flatMap((path) => /^indexdb\/([0-9A-F]{16})\//.exec(path)?.[1] ?? []));
  if (monthly && tables.has(TABLE)) tables.add(TABLE_BEFORE);
  for (const path of paths) {
    const table = /^indexdb\/([0-9A-F]{16})\/parts\.json$/.exec(path)?.[1];
    if (table && !monthly) tables.add(table);
  }
  for (const table of tables) arranged.set(`indexdb/${table}/converted-to-v1.28.0`, new Uint8Array());
  return { layout: monthly ? "1.133 and later" : "1.90 to 1.132", files: arranged };
}

/** The parts that each parts.json names, by the directory it is in. */
function listedParts(files: Map<string, Uint8Array>): Map<string, Set<string>> {
  const listed = new Map<string, Set<string>>();
  for (const [path, content] of files) {
    if (!path.endsWith("/parts.json")) continue;
    const list: unknown = json(path, content);
    const names = Array.isArray(list) ? list : Object.values((list ?? {}) as object).flatMap((some) => (Array.isArray(some) ? some : []));
    listed.set(path.slice(0, -"/parts.json".length), new Set(names.map(String)));
  }
  return listed;
}

function metadata(files: Map<string, Uint8Array>, directory: string): Record<string, unknown> {
  const content = files.get(`${directory}/metadata.json`);
  return content ? ((json(`${directory}/metadata.json`, content) ?? {}) as Record<string, unknown>) : {};
}

function json(path: string, content: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(content));
  } catch {
    throw new Error(`${path} is no JSON`);
  }
}

function dataName(part: string, found: Record<string, unknown>): string {
  const instant = (time: unknown) => {
    const date = new Date(Number(time));
    return Number.isNaN(date.getTime()) ? "00000000000000.000" : date.toISOString().replace(/[-:TZ]/g, "");
  };
  return `${numbers(found.RowsCount, found.BlocksCount)}_${instant(found.MinTimestamp)}_${instant(found.MaxTimestamp)}_${part}`;
}

/** A part whose counts are missing gets a name that the engine finds fault with, and that it calls it by. */
const numbers = (...counts: unknown[]): string => counts.map((count) => (Number.isSafeInteger(count) ? String(count) : "0")).join("_");
