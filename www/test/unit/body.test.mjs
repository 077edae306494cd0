// Bodies come in chunks that are nobody else's, whatever they are read from, and nothing is lost.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { source } from "./source.mjs";

const { chunks, sourceOf } = await source("stream/body");

/** No chunk is longer, bytes of text aside. */
const MOST_BYTES = 256 * 1024;

async function collect(body, most = MOST_BYTES) {
  const found = [];
  for await (const chunk of chunks(sourceOf(body))) {
    assert.ok(chunk.length <= most && chunk.length > 0, `${chunk.length} bytes`);
    assert.equal(chunk.byteLength, chunk.buffer.byteLength);
    assert.ok(chunk.buffer !== body.buffer);
    found.push(chunk);
  }
  return new Uint8Array(Buffer.concat(found));
}

function streamOf(bytes, size) {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + size));
      at += size;
    },
  });
}

describe("chunks of a body", () => {
  const texts = {
    empty: "",
    "one line": "a 1",
    "a line feed": "\n",
    "many lines": Array.from({ length: 30_000 }, (_, i) => `metric_ä{i="${i}"} ${i} 🚀`).join("\n"),
    "a very long line": `a\n${"x".repeat(900_000)}\nb`,
    "characters of two units": "🚀".repeat(300_000),
    "characters of two units, behind one": `x${"🚀".repeat(300_000)}`,
  };
  for (const [name, text] of Object.entries(texts)) {
    it(`${name}: text, bytes, blobs and streams come whole`, async () => {
      const bytes = new TextEncoder().encode(text);
      assert.deepEqual(await collect(text, 3 * MOST_BYTES), bytes);
      for (const body of [bytes, bytes.buffer, new Blob([bytes])]) assert.deepEqual(await collect(body), bytes);
      for (const size of [text.length > 1000 ? 997 : 1, 65_536, 1e7]) assert.deepEqual(await collect(streamOf(bytes, size)), bytes);
    });
  }

  it("bytes are copied at once, those of a Buffer of Node too", async () => {
    const text = "a 1\n".repeat(100_000);
    const mine = {
      bytes: new TextEncoder().encode(text),
      buffer: Buffer.from(text),
      view: new DataView(new TextEncoder().encode(text).buffer),
    };
    for (const [name, body] of Object.entries(mine)) {
      const source = sourceOf(body);
      new Uint8Array(body.buffer, body.byteOffset, body.byteLength).fill(0);
      const found = [];
      for await (const chunk of chunks(source)) found.push(chunk);
      assert.equal(Buffer.concat(found).toString(), text, name);
    }
  });

  it("bytes that are no text come as they are", async () => {
    // What looks like the mark of UTF-16 is the length of a block of snappy.
    const binary = Uint8Array.from({ length: 400_000 }, (_, at) => [0xff, 0xfe, 0x03][at] ?? at);
    for (const body of [binary, new Blob([binary]), streamOf(binary, 1000)]) assert.deepEqual(await collect(body), binary);
  });

  it("who stops early ends the stream", async () => {
    let cancelled = false;
    const stream = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode("a 1\n")),
      cancel: () => (cancelled = true),
    });
    for await (const _ of chunks(stream)) break;
    assert.ok(cancelled);
  });
});
