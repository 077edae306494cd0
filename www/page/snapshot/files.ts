// What was dropped or chosen: a tar or a text, or the files of a folder.

/** A file with its path. */
export interface Given {
  path: string;
  file: File;
}

/** The file that was given by itself; nothing when it is a folder. */
export function fileOf(given: readonly Given[]): File | undefined {
  const [only] = given;
  return given.length === 1 && only && !only.path.includes("/") ? only.file : undefined;
}

/** It as the package takes it. */
export const sourceOf = (given: readonly Given[]): File | (readonly [path: string, content: File])[] =>
  fileOf(given) ?? given.map(({ path, file }) => [path, file] as const);

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
    for (const given of await below(some)) found.push(given);
  }
}
