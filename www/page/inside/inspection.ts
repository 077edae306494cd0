// What the engine says when it is asked for its parts, their blocks and its index; and what of that is remembered for the picture.

import type { BlockDetails, IndexBlockDetails, PartDetails } from "sandglass/inline";
import type { Composition } from "../drawing/stage";
import { isOwn, OWN_SERIES } from "../model/own";
import type { Part } from "../model/parts";
import type { Situation } from "../replay/situations";
import { colourKey, seriesKeys, type World } from "../replay/world";
import type { IndexPart } from "./index_view";

/** Parts whose blocks are asked for at a time. */
const LOOKS_AT_ONCE = 8;
/** Blocks of the index that are looked at. */
const MOST_INDEX_BLOCKS = 40;

export class Inspection {
  readonly compositions = new Map<number, Composition>();
  readonly #headers = new Map<number, PartDetails["headers"]>();
  /** Parts with a series that had no name yet, and when they were asked: the index tells of a new series a moment after its rows. */
  readonly #unnamed = new Map<number, number>();
  #keys = new Map<string, number>();
  #looking = 0;
  readonly #world: () => World | undefined;
  readonly #parts: () => readonly Part[];
  readonly #changed: () => void;

  /** `changed` is called when more is known of the parts that are drawn. */
  constructor(world: () => World | undefined, parts: () => readonly Part[], changed: () => void) {
    this.#world = world;
    this.#parts = parts;
    this.#changed = changed;
  }

  /** Another history begins: its series have their colours in the order in which they are written. */
  begin(situation: Situation): void {
    this.forgetParts();
    this.#keys = new Map(seriesKeys(situation).map((key, i) => [key, i]));
  }

  /** Parts are numbered anew. */
  forgetParts(): void {
    this.compositions.clear();
    this.#headers.clear();
    this.#unnamed.clear();
  }

  /** The place of a series in the palette. */
  seriesNumber(labels: Record<string, string> | null): number {
    if (isOwn(labels)) return OWN_SERIES;
    const key = colourKey(labels);
    let number = this.#keys.get(key);
    if (number === undefined) {
      number = this.#keys.size;
      this.#keys.set(key, number);
    }
    return number;
  }

  /** Whether the series of all parts are known, by name. */
  get knowsAll(): boolean {
    return this.#parts().every(({ id }) => this.#headers.has(id) && !this.#unnamed.has(id));
  }

  /** The blocks of a part that was seen, though it may be merged away since. */
  headersOf(part: number): PartDetails["headers"] {
    return this.#headers.get(part) ?? [];
  }

  /** A block of a part, decoded. A part that was merged meanwhile rejects, as does a history that was left. */
  async block(part: number, block: number): Promise<BlockDetails> {
    const world = this.#world();
    if (!world) throw new Error("no engine is there to be asked");
    const details = await world.ask((database) => database.inspectBlock(part, block));
    if (world !== this.#world()) throw new Error("another history has begun");
    return details;
  }

  /** Asks for the series of parts that are drawn and not known yet. */
  look(): void {
    const world = this.#world();
    if (!world) return;
    for (const part of this.#parts()) {
      if (this.#looking >= LOOKS_AT_ONCE) return;
      const { at } = world;
      const mayHaveNames = (this.#unnamed.get(part.id) ?? at) < at;
      if (this.compositions.has(part.id) && !mayHaveNames) continue;
      if (!this.compositions.has(part.id)) this.compositions.set(part.id, []);
      this.#unnamed.delete(part.id);
      this.#looking++;
      world
        .ask((database) => database.inspectPart(part.id, { count: 1200 }))
        .then(({ headers }) => {
          if (world !== this.#world()) return;
          this.compositions.set(part.id, this.#compose(headers));
          this.#headers.set(part.id, headers);
          if (headers.some(({ labels }) => labels === null)) this.#unnamed.set(part.id, at);
        })
        // Merged away meanwhile.
        .catch(() => {})
        .finally(() => {
          this.#looking--;
          this.#changed();
          if (this.#looking === 0) this.look();
        });
    }
  }

  /** The parts of the index with their blocks, as many as can be looked at. */
  async indexParts(): Promise<IndexPart[]> {
    const world = this.#world();
    if (!world) return [];
    return world.ask(async (database) => {
      const { index } = await database.inspect();
      const found: IndexPart[] = [];
      let left = MOST_INDEX_BLOCKS;
      for (const [table, { parts }] of (index?.tables ?? []).entries()) {
        for (const [part, { name, items, bytes, blocks: count }] of parts.entries()) {
          const blocks: IndexBlockDetails[] = [];
          for (; blocks.length < count && left > 0; left--) blocks.push(await database.inspectIndexBlock(table, part, blocks.length));
          found.push({ table, part, name, items, bytes, blocks });
        }
      }
      return found;
    });
  }

  #compose(headers: PartDetails["headers"]): Composition {
    const rows = headers.reduce((sum, header) => sum + header.rows, 0);
    const found: [number, number][] = [];
    for (const header of headers) {
      const series = this.seriesNumber(header.labels);
      const last = found.at(-1);
      if (last && last[0] === series) last[1] += header.rows / rows;
      else found.push([series, header.rows / rows]);
    }
    return found;
  }
}
