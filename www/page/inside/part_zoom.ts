// What of a database's parts is looked into, a part or a block of it, and what its engine says of that.

import { signal } from "@preact/signals";
import type { BlockDetails, Database, PartDetails } from "sandglass";
import { exactly } from "../model/selector";
import { messageOf } from "../model/trouble";
import { colourKey } from "../replay/world";

/** Headers that are asked for at a time. */
export const HEADERS_AT_ONCE = 5000;

export class PartZoom {
  /** Month, part and block; fewer for less depth. */
  readonly zoom = signal<readonly string[]>([]);
  readonly part = signal<PartDetails | undefined>(undefined);
  readonly block = signal<BlockDetails | undefined>(undefined);
  /** Why there is nothing to show of it. */
  readonly gone = signal("");
  zoomFrom = { x: 0.5, y: 0 };
  readonly #colours = new Map<string, number>();

  constructor(readonly database: () => Database | undefined) {}

  async zoomTo(path: readonly string[]): Promise<void> {
    this.gone.value = "";
    this.zoom.value = path;
    const [, part, block] = path;
    const database = this.database();
    if (part === undefined || !database) {
      this.part.value = this.block.value = undefined;
      return;
    }
    let details: PartDetails | undefined;
    try {
      details = await database.inspectPart(Number(part), { count: HEADERS_AT_ONCE });
      const decoded = block === undefined ? undefined : await database.inspectBlock(Number(part), Number(block));
      if (this.zoom.peek() !== path) return;
      this.part.value = details;
      this.block.value = decoded;
    } catch (error) {
      if (this.zoom.peek() !== path) return;
      this.gone.value = messageOf(error);
      this.part.value = details;
      this.block.value = undefined;
      // Of a part whose block is bad the others can be looked at.
      this.zoom.value = details ? path.slice(0, 2) : [];
    }
  }

  /** The place of a series in the palette. */
  seriesNumber(labels: Record<string, string> | null): number {
    const key = `${colourKey(labels)} ${labels ? exactly(labels) : ""}`;
    const number = this.#colours.get(key) ?? this.#colours.size;
    this.#colours.set(key, number);
    return number;
  }
}
