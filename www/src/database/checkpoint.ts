// The engine as it is at one instant, to come back to: its memory, page by page. What did not change since the last checkpoint
// is held once for both.

import { SandglassError } from "../base/shared.js";
import type { Port } from "../port/port.js";
import type { Checkpoint } from "../api/teaching.js";

/** Of WebAssembly's memory. */
const PAGE_BYTES = 65_536;

/** The pages of each memory as the last checkpoint of it has them; one of zeros is left out. */
const latest = new WeakMap<WebAssembly.Memory, (Uint32Array | undefined)[]>();

/** Holds the memory of this port's engine as it is now, and how many handles were known. */
export function checkpoint(port: Port, handles: unknown[]): Checkpoint {
  const { memory } = port;
  if (memory === undefined) throw new SandglassError("closed", "the database is closed; open it again");
  const known = handles.length;
  const before = latest.get(memory) ?? [];
  const pages: (Uint32Array | undefined)[] = [];
  let bytes = 0;
  for (let at = 0; at < memory.buffer.byteLength; at += PAGE_BYTES) {
    const now = new Uint32Array(memory.buffer, at, PAGE_BYTES / 4);
    const held = before[pages.length];
    if (isSame(now, held)) pages.push(held);
    else {
      bytes += PAGE_BYTES;
      pages.push(now.slice());
    }
  }
  latest.set(memory, pages);
  return {
    bytes,
    rewind() {
      if (port.memory !== memory) throw new SandglassError("closed", "this engine has ended since; only an open one can be what it was");
      handles.length = known;
      // Memory never shrinks; what has grown since is not looked at by an engine that does not know of it.
      pages.forEach((page, number) => {
        const now = new Uint32Array(memory.buffer, number * PAGE_BYTES, PAGE_BYTES / 4);
        if (page === undefined) now.fill(0);
        else now.set(page);
      });
      latest.set(memory, pages);
    },
  };
}

function isSame(now: Uint32Array, held: Uint32Array | undefined): boolean {
  if (held === undefined) return now.every((word) => word === 0);
  for (let i = 0; i < now.length; i++) if (now[i] !== held[i]) return false;
  return true;
}
