// Streams out of a database: an export, and a snapshot as a tar. Both read only when they are read.

import { createTarPacker } from "modern-tar";
import { SandglassError } from "./errors.js";
import type { Bounds, Port, SnapshotFile } from "./port.js";

/** Bytes of a file that are read at once. */
const READ_BYTES = 1024 * 1024;

/** An export as JSON lines. */
export function exportStream(port: Port, selector: string | undefined, range: Bounds, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  let cursor: number | undefined;
  let stopListening = () => {};
  const close = async () => {
    stopListening();
    const open = cursor;
    cursor = undefined;
    // A database that is closed has no cursors.
    if (open !== undefined) await port.ask({ kind: "exportClose", cursor: open }).catch(() => {});
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        if (signal === undefined) return;
        const abort = () => {
          controller.error(new SandglassError("aborted", "the export was given up by its caller", { cause: signal.reason }));
          void close();
        };
        if (signal.aborted) return abort();
        signal.addEventListener("abort", abort, { once: true });
        stopListening = () => signal.removeEventListener("abort", abort);
      },
      async pull(controller) {
        cursor ??= await port.ask({ kind: "exportOpen", selector, ...range });
        const chunk = await port.ask({ kind: "exportNext", cursor });
        if (signal?.aborted) return close();
        if (chunk !== null) return controller.enqueue(chunk);
        cursor = undefined;
        stopListening();
        controller.close();
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  );
}

/** A snapshot as a tar of what a server wants in its `-storageDataPath`. */
export function snapshotStream(port: Port, name: string): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (reader === undefined) {
          // Before the first byte, so that a snapshot that does not exist is an error and not a broken tar.
          const files = await port.ask({ kind: "snapshotFiles", name });
          const { readable, controller: packer } = createTarPacker();
          reader = readable.getReader();
          pack(port, files, timeOf(name), packer).catch((error: unknown) => packer.error(error));
        }
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel(reason) {
        await reader?.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

async function pack(port: Port, files: SnapshotFile[], mtime: Date, packer: ReturnType<typeof createTarPacker>["controller"]): Promise<void> {
  for (const { path, source, sizeBytes } of files) {
    const writer = packer.add({ name: path, size: sizeBytes, type: "file", mode: 0o644, mtime }).getWriter();
    for (let offset = 0; offset < sizeBytes; offset += READ_BYTES) {
      const length = Math.min(READ_BYTES, sizeBytes - offset);
      // Waits until the tar is read when enough of it is there.
      await writer.write(await port.ask({ kind: "snapshotRead", source, offset, length }));
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
