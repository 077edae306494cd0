// A snapshot's files as a tar.

import { createTarPacker } from "modern-tar";
import type { Port } from "../port/port.js";
import type { SnapshotFile } from "../port/requests.js";

type Packer = ReturnType<typeof createTarPacker>["controller"];

/** Bytes of a file that are read at once. */
const READ_BYTES = 1024 * 1024;

/** The tar of the snapshot of this name. Files are read as the tar is; `ended` tells that nobody reads any more. */
export function tar(port: Port, name: string, files: SnapshotFile[], ended: AbortSignal): ReadableStream<Uint8Array> {
  const { readable, controller: packer } = createTarPacker();
  pack(port, files, timeOf(name), packer, ended).catch((error: unknown) => packer.error(error));
  return readable;
}

async function pack(port: Port, files: SnapshotFile[], mtime: Date, packer: Packer, ended: AbortSignal): Promise<void> {
  for (const { path, source, sizeBytes, content } of files) {
    const writer = packer.add({ name: path, size: sizeBytes, type: "file", mode: 0o644, mtime }).getWriter();
    if (content !== null) await writer.write(new TextEncoder().encode(content));
    for (let offset = 0; content === null && offset < sizeBytes; offset += READ_BYTES) {
      const length = Math.min(READ_BYTES, sizeBytes - offset);
      // Waits until the tar is read when enough of it is there.
      await writer.write(await port.ask({ kind: "snapshotRead", source, offset, length }, ended));
    }
    await writer.close();
  }
  packer.finalize();
}

/** The time in a snapshot's name, which gives the same tar for the same snapshot. */
function timeOf(name: string): Date {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)-/.exec(name) ?? [];
  return year === undefined ? new Date(0) : new Date(Date.UTC(+year, +month! - 1, +day!, +hour!, +minute!, +second!));
}
