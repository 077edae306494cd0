// A byte order mark says that a text is UTF-8 or UTF-16, and is no part of it.

const UTF8_MARK = [0xef, 0xbb, 0xbf];

/** Makes UTF-8 without a mark of a text whose bytes arrive in chunks. What is no UTF-16 becomes U+FFFD; UTF-8 is handed on as it is. */
export class Utf8Reader {
  /** The first bytes, until they tell. */
  #start: Uint8Array | undefined = new Uint8Array(0);
  #utf16: TextDecoder | undefined;

  /** What the next bytes are; perhaps the bytes themselves. */
  take(bytes: Uint8Array): Uint8Array {
    if (this.#start === undefined) return this.#decoded(bytes);
    let start = bytes;
    if (this.#start.length > 0) {
      start = new Uint8Array(this.#start.length + bytes.length);
      start.set(this.#start);
      start.set(bytes, this.#start.length);
    }
    const [first, second] = start;
    const mayBegin = UTF8_MARK.every((byte, at) => at >= start.length || start[at] === byte);
    if ((mayBegin && start.length < UTF8_MARK.length) || (start.length === 1 && (first === 0xff || first === 0xfe))) {
      this.#start = start.slice();
      return start.subarray(0, 0);
    }
    this.#start = undefined;
    if (first === 0xff && second === 0xfe) this.#utf16 = new TextDecoder("utf-16le");
    else if (first === 0xfe && second === 0xff) this.#utf16 = new TextDecoder("utf-16be");
    return this.#decoded(mayBegin ? start.subarray(UTF8_MARK.length) : start);
  }

  /** What is left when no more bytes come. */
  end(): Uint8Array {
    const start = this.#start ?? new Uint8Array(0);
    return this.#utf16 === undefined ? start : new TextEncoder().encode(this.#utf16.decode());
  }

  #decoded(bytes: Uint8Array): Uint8Array {
    // The decoder takes the mark for one, too.
    return this.#utf16 === undefined ? bytes : new TextEncoder().encode(this.#utf16.decode(bytes, { stream: true }));
  }
}
