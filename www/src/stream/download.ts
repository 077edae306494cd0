// Streams out of a database: an export, and a snapshot as a tar. Both read only when they are read.

import { checkSignal, offAbort, onAbort } from "../base/abort.js";
import type { Bounds } from "../base/arguments.js";
import { SandglassError } from "../api/errors.js";
import { onDemand } from "../base/on_demand.js";
import type { Layout } from "../api/snapshots.js";
import type { Port } from "../port/port.js";

/** An export as JSON lines; `prepare` comes before it begins to read. */
export function exportStream(
  port: Port,
  selector: string | undefined,
  range: Bounds,
  signal: AbortSignal | undefined,
  prepare?: (signal: AbortSignal) => Promise<void>,
): ReadableStream<Uint8Array> {
  let cursor: number | undefined;
  return abortableStream("export", signal, {
    async pull(ended) {
      if (cursor === undefined) await prepare?.(ended);
      cursor ??= await port.ask({ kind: "exportOpen", selector, ...range }, ended);
      const chunk = await port.ask({ kind: "exportNext", cursor }, ended);
      if (chunk === null) cursor = undefined;
      return chunk ?? undefined;
    },
    async end() {
      // A database that is closed has no cursors.
      if (cursor !== undefined) await port.ask({ kind: "exportClose", cursor }).catch(() => {});
    },
  });
}

/** The body of a reply that is long: the piece that has come, and what the cursor gives. */
export function replyStream(port: Port, first: Uint8Array, cursor: number, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  let begin: Uint8Array | undefined = first;
  let isOpen = true;
  return abortableStream("reply", signal, {
    async pull(ended) {
      const piece = begin ?? (await port.ask({ kind: "exportNext", cursor }, ended));
      begin = undefined;
      isOpen = piece !== null;
      return piece ?? undefined;
    },
    async end() {
      if (isOpen) await port.ask({ kind: "exportClose", cursor }).catch(() => {});
    },
  });
}

/** A snapshot as a tar of what a server wants in its `-storageDataPath`. */
export function snapshotStream(port: Port, name: string, layout: Layout, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  return abortableStream("download", signal, {
    async pull(ended) {
      if (reader === undefined) {
        // Before the first byte, so that a snapshot that does not exist is an error and not a broken tar.
        const files = await port.ask({ kind: "snapshotFiles", name, layout }, ended);
        const { tar } = await onDemand(import("./tar.js"));
        reader = tar(port, name, files, ended).getReader();
      }
      return (await reader.read()).value;
    },
    async end() {
      await reader?.cancel().catch(() => {});
    },
  });
}

interface Source {
  /** The next piece; nothing at the end. The signal tells that nobody waits for it any more. */
  pull(ended: AbortSignal): Promise<Uint8Array | undefined>;
  /** Called once when the stream was given up or has failed. */
  end(): Promise<void>;
}

/** A stream that reads when it is read, and that its reader and a signal may give up. */
function abortableStream(what: string, signal: AbortSignal | undefined, source: Source): ReadableStream<Uint8Array> {
  checkSignal(signal);
  if (typeof ReadableStream !== "function")
    throw new SandglassError("unsupported", `the ${what} is a ReadableStream, and there are none here; see that the environment has them`);
  const ended = new AbortController();
  let abort = () => {};
  const end = async (): Promise<void> => {
    if (ended.signal.aborted) return;
    offAbort(signal, abort);
    ended.abort();
    await source.end();
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        abort = () => {
          controller.error(new SandglassError("aborted", `the ${what} was given up by its caller`, { cause: signal?.reason }));
          void end();
        };
        if (signal?.aborted) return abort();
        onAbort(signal, abort);
      },
      async pull(controller) {
        try {
          const piece = await source.pull(ended.signal);
          if (ended.signal.aborted) return;
          if (piece !== undefined) return controller.enqueue(piece);
          offAbort(signal, abort);
          controller.close();
        } catch (error) {
          if (ended.signal.aborted) return;
          void end();
          throw error;
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}
