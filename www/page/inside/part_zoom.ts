// What of a database's parts is looked into, a part or a block of it, and what its engine says of that.

import { signal } from "@preact/signals";
import type { BlockDetails, Database, PartDetails } from "sandglass";
import { exactly } from "../model/selector";
import { messageOf } from "../model/trouble";
import { colourKey } from "../replay/world";

/** Headers that are asked for at a time. */
export const HEADERS_AT_ONCE = 5000;

/** Puts a question to the engine; nothing while there is none. */
export type Ask = <T>(question: (database: Pick<Database, "inspectPart" | "inspectBlock">) => Promise<T>) => Promise<T> | undefined;

interface More {
  /** Called before it is gone anywhere. */
  before?: (path: readonly string[]) => Promise<void> | undefined;
  /** The place of a series in the palette, where another picture has them, too. */
  seriesNumber?: (labels: Record<string, string> | null) => number;
}

export class PartZoom {
  /** Month, part and block; fewer for less depth. */
  readonly zoom = signal<readonly string[]>([]);
  readonly part = signal<PartDetails | undefined>(undefined);
  readonly block = signal<BlockDetails | undefined>(undefined);
  /** Why there is nothing to show of it. */
  readonly gone = signal("");
  zoomFrom = { x: 0.5, y: 0 };
  readonly #colours = new Map<string, number>();

  readonly #ask: Ask;
  readonly #more: More;

  constructor(ask: Ask, more: More = {}) {
    this.#ask = ask;
    this.#more = more;
  }

  /** Nothing is looked into. */
  leave(): void {
    this.zoom.value = [];
    this.part.value = this.block.value = undefined;
    this.gone.value = "";
  }

  async zoomTo(path: readonly string[]): Promise<void> {
    const waits = this.#more.before?.(path);
    if (waits) await waits;
    this.gone.value = "";
    this.zoom.value = path;
    const [, part, block] = path;
    if (part === undefined) {
      this.part.value = this.block.value = undefined;
      return;
    }
    let details: PartDetails | undefined;
    try {
      const [partId, blockId] = [idOf("part", part), block === undefined ? undefined : idOf("block", block)];
      details = await this.#ask((database) => database.inspectPart(partId, { count: HEADERS_AT_ONCE }));
      const decoded = blockId === undefined ? undefined : await this.#ask((database) => database.inspectBlock(partId, blockId));
      if (this.zoom.peek() !== path) return;
      this.part.value = details;
      this.block.value = decoded;
    } catch (error) {
      if (this.zoom.peek() !== path) return;
      this.gone.value = messageOf(error);
      this.part.value = details;
      this.block.value = undefined;
      // Of a part whose block is bad the others can be looked at.
      this.zoom.value = path.slice(0, details ? 2 : 1);
    }
  }

  /** The place of a series in the palette. */
  seriesNumber(labels: Record<string, string> | null): number {
    if (this.#more.seriesNumber) return this.#more.seriesNumber(labels);
    const key = `${colourKey(labels)} ${labels ? exactly(labels) : ""}`;
    const number = this.#colours.get(key) ?? this.#colours.size;
    this.#colours.set(key, number);
    return number;
  }
}

/** The number of a part or a block, as addresses have it. */
function idOf(what: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Error(`there is no ${what} "${text}"; they have numbers`);
  return Number(text);
}
