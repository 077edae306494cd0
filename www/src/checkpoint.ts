// The engine as it is at one instant, to come back to: its memory, page by page. What did not change since the last checkpoint
// is held once for both.

import type { Checkpoint } from "./types.js";

/** Of WebAssembly's memory. */
const PAGE_BYTES = 65_536;

/** The pages of each memory as the last checkpoint of it has them; one of zeros is left out. */
const latest = new WeakMap<WebAssembly.Memory, (Uint32Array | undefined)[]>();

/** Holds the memory as it is now. `prepare` is called before it comes back, and may refuse that. */
export function checkpoint(memory: WebAssembly.Memory, prepare: () => void): Checkpoint {
  const before = latest.get(memory) ?? [];
  const pages: (Uint32Array | undefined)[] = [];
  let bytes = 0;
  for (let at = 0; at < memory.buffer.byteLength; at += PAGE_BYTES) {
    const now = new Uint32Array(memory.buffer, at, PAGE_BYTES / 4);
    const known = before[pages.length];
    if (isSame(now, known)) pages.push(known);
    else {
      bytes += PAGE_BYTES;
      pages.push(now.slice());
    }
  }
  latest.set(memory, pages);
  return {
    bytes,
    rewind() {
      prepare();
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

function isSame(now: Uint32Array, known: Uint32Array | undefined): boolean {
  if (known === undefined) return now.every((word) => word === 0);
  for (let i = 0; i < now.length; i++) if (now[i] !== known[i]) return false;
  return true;
}
