// Bodies are cut at line feeds, whatever they come as, and nothing is lost.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { source } from "./source.mjs";

const { chunks, pieces, sourceOf } = await source("stream/lines");
const decoder = new TextDecoder();

async function collect(body) {
  const found = [];
  for await (const { bytes, lines, tooLong } of pieces(sourceOf(body))) found.push({ text: decoder.decode(bytes), lines, tooLong });
  return found;
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

function check(found, body) {
  assert.equal(found.map(({ text }) => text).join(""), body);
  assert.equal(
    found.reduce((sum, { lines }) => sum + lines, 0),
    body.split("\n").length - 1,
  );
  for (const { text } of found.slice(0, -1)) assert.ok(text.endsWith("\n"));
}

describe("pieces of a body", () => {
  const line = (i) => `metric_ä{i="${i}"} ${i} 🚀`;
  const long = Array.from({ length: 30_000 }, (_, i) => line(i)).join("\n");
  const bodies = {
    empty: "",
    "one line": "a 1",
    "a line feed": "\n",
    "several lines": "a 1\nb 2\n\nc 3",
    "many lines": long,
    "a very long line": `a\n${"x".repeat(300_000)}\nb`,
  };

  for (const [name, body] of Object.entries(bodies)) {
    it(`${name}: text, bytes and streams are cut alike`, async () => {
      const bytes = new TextEncoder().encode(body);
      check(await collect(body), body);
      check(await collect(bytes), body);
      check(await collect(bytes.buffer), body);
      check(await collect(new Blob([bytes])), body);
      for (const size of [body.length > 1000 ? 997 : 1, 65_536, 1e7]) check(await collect(streamOf(bytes, size)), body);
      for (const { text } of await collect(bytes)) assert.ok(text.length <= 128 * 1024 || text.indexOf("\n") >= text.length - 1);
    });
  }

  it("a byte order mark is no text, and says that a text is UTF-16", async () => {
    const text = "metric_ä 1 🚀\nb 2";
    const units = Buffer.from(`\ufeff${text}`, "utf16le");
    const marked = {
      text: `\ufeff${text}`,
      utf8: new TextEncoder().encode(`\ufeff${text}`),
      utf16le: units,
      utf16be: Buffer.from(units).swap16(),
    };
    for (const [name, body] of Object.entries(marked)) {
      const bodies = [
        body,
        ...(name === "text" ? [] : [new Blob([body]), ...[1, 2, 3, 5, 1000].map((size) => streamOf(new Uint8Array(body), size))]),
      ];
      for (const body of bodies) assert.equal((await collect(body)).map(({ text }) => text).join(""), text, name);
    }
    // Half of a mark is text, and so is one that stands elsewhere.
    for (const bytes of [[0xef], [0xef, 0xbb], [0xff], [0xef, 0xbb, 0x41]])
      for (const body of [Uint8Array.from(bytes), streamOf(Uint8Array.from(bytes), 1)]) {
        const found = [];
        for await (const { bytes } of pieces(sourceOf(body))) found.push(...bytes);
        assert.deepEqual(found, bytes);
      }
    check(await collect(new TextEncoder().encode("a 1\n\ufeffb 2")), "a 1\n\ufeffb 2");
  });

  it("a line beyond the limit is skipped and told of, its neighbours come through", async () => {
    const megabyte = new Uint8Array(1024 * 1024).fill(120);
    let sent = 0;
    const stream = new ReadableStream({
      pull(controller) {
        sent++;
        if (sent === 1) controller.enqueue(new TextEncoder().encode("first 1\n"));
        else if (sent <= 70) controller.enqueue(megabyte);
        else if (sent === 71) controller.enqueue(new TextEncoder().encode("end\nlast 2\n"));
        else controller.close();
      },
    });
    assert.deepEqual(await collect(stream), [
      { text: "first 1\n", lines: 1, tooLong: undefined },
      { text: "", lines: 1, tooLong: true },
      { text: "last 2\n", lines: 1, tooLong: undefined },
    ]);
  });

  it("pieces are nobody else's memory, and bytes that are no text come as they are", async () => {
    const bytes = new TextEncoder().encode("a 1\n".repeat(50_000));
    // What looks like the mark of UTF-16 is the length of a block of snappy.
    const binary = Uint8Array.from({ length: 100_000 }, (_, at) => [0xff, 0xfe, 0x03][at] ?? at);
    for await (const { bytes: piece } of pieces(bytes))
      assert.ok(piece.buffer !== bytes.buffer && piece.byteLength === piece.buffer.byteLength);
    for (const body of [binary, new Blob([binary]), streamOf(binary, 1000)]) {
      const found = [];
      for await (const piece of chunks(sourceOf(body))) {
        assert.ok(piece.buffer !== binary.buffer && piece.byteLength === piece.buffer.byteLength);
        found.push(piece);
      }
      assert.deepEqual(new Uint8Array(Buffer.concat(found)), binary);
    }
  });

  it("who stops early ends the stream", async () => {
    let cancelled = false;
    const stream = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode("a 1\n")),
      cancel: () => (cancelled = true),
    });
    for await (const _ of pieces(stream)) break;
    assert.ok(cancelled);
  });
});
