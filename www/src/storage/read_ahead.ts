// A file at a URL, read in pages that are kept. A request costs a round trip however little it asks for, and what lies beside a range
// is mostly asked for next: headers of a tar and the small files between them, blocks of an index.

/** How much is asked for at the least; pages begin at multiples of it. */
export const PAGE_BYTES = 64 * 1024;
/** More than this is asked for as it is: who reads so much at once passes by. */
const LONGEST_KEPT_BYTES = 8 * PAGE_BYTES;

/** Asks for exactly so many bytes. */
export type Ask = (offset: number, length: number) => Promise<Uint8Array>;

export class ReadAhead {
  /** By number, those that were used last at the end. */
  readonly #pages = new Map<number, Promise<Uint8Array>>();
  readonly #sizeBytes: number;
  readonly #mostPages: number;
  readonly #ask: Ask;

  /**
   * @param beginning what is known of the file already
   * @param budgetBytes of the pages that are kept; less than a page keeps nothing, and reads exactly what is wanted
   */
  constructor(sizeBytes: number, beginning: Uint8Array, budgetBytes: number, ask: Ask) {
    this.#sizeBytes = sizeBytes;
    this.#mostPages = Math.floor(budgetBytes / PAGE_BYTES);
    this.#ask = ask;
    if (this.#mostPages > 0 && beginning.length === this.#end(0)) this.#pages.set(0, Promise.resolve(beginning));
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (this.#mostPages === 0 || length > LONGEST_KEPT_BYTES) return this.#ask(offset, length);
    const first = Math.floor(offset / PAGE_BYTES);
    const last = Math.floor((offset + length - 1) / PAGE_BYTES);
    const pages = await Promise.all(this.#find(first, last));
    const bytes = new Uint8Array(length);
    for (const [i, page] of pages.entries()) {
      const start = (first + i) * PAGE_BYTES - offset;
      bytes.set(page.subarray(Math.max(0, -start), length - start), Math.max(0, start));
    }
    return bytes;
  }

  /** Pages that follow one another; those that are missing side by side are one request. */
  #find(first: number, last: number): Promise<Uint8Array>[] {
    for (let at = first; at <= last; at++) {
      if (this.#pages.has(at)) continue;
      let end = at + 1;
      while (end <= last && !this.#pages.has(end)) end++;
      this.#fetch(at, end);
      at = end;
    }
    const found: Promise<Uint8Array>[] = [];
    for (let number = first; number <= last; number++) {
      const page = this.#pages.get(number)!;
      this.#pages.delete(number);
      this.#pages.set(number, page);
      found.push(page);
    }
    for (const number of this.#pages.keys()) {
      if (this.#pages.size <= this.#mostPages) break;
      this.#pages.delete(number);
    }
    return found;
  }

  #fetch(first: number, end: number): void {
    const offset = first * PAGE_BYTES;
    const run = this.#ask(offset, this.#end(end - 1) - offset);
    for (let number = first; number < end; number++) {
      const start = number * PAGE_BYTES - offset;
      // A page of its own: one that hung on its neighbours would keep the memory of all of them.
      const page = run.then((bytes) => bytes.slice(start, start + PAGE_BYTES));
      this.#pages.set(number, page);
      // Who tries again asks anew.
      page.catch(() => this.#pages.get(number) === page && this.#pages.delete(number));
    }
  }

  /** Where a page ends. */
  #end(number: number): number {
    return Math.min((number + 1) * PAGE_BYTES, this.#sizeBytes);
  }
}
