// Ranges of a file at a URL: how often its server is asked, and that what is read is what lies there.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { random } from "../server/generate.mjs";
import { source } from "./source.mjs";

const { PAGE_BYTES, ReadAhead } = await source("storage/read_ahead");

/** A file of pages, and a reader of it that takes down what it asks for. */
function fileOf(size, { budgetBytes = 1 << 20, beginning = new Uint8Array(0) } = {}) {
  const content = Uint8Array.from({ length: size }, (_, at) => (at * 31 + (at >> 8)) & 0xff);
  const asked = [];
  const file = { content, asked, fails: false };
  file.ahead = new ReadAhead(size, beginning, budgetBytes, async (offset, length) => {
    asked.push([offset, length]);
    await null;
    if (file.fails) throw new Error("cut");
    return content.slice(offset, offset + length);
  });
  return file;
}

describe("what is read ahead", () => {
  it("headers and small files side by side are one request, also when they are asked for at once", async () => {
    const { ahead, asked, content } = fileOf(10 * PAGE_BYTES + 100);
    const wanted = [10, 5000, PAGE_BYTES - 3].map((offset) => [offset, 40]);
    const found = await Promise.all(wanted.map(([offset, length]) => ahead.read(offset, length)));
    found.forEach((bytes, i) => assert.deepEqual(bytes, content.slice(wanted[i][0], wanted[i][0] + 40)));
    assert.deepEqual(asked, [
      [0, PAGE_BYTES],
      [PAGE_BYTES, PAGE_BYTES],
    ]);
  });

  it("pages that are missing side by side are one request, up to the end of the file", async () => {
    const { ahead, asked, content } = fileOf(4 * PAGE_BYTES + 100);
    await ahead.read(PAGE_BYTES, 1);
    const from = 2 * PAGE_BYTES - 10;
    assert.deepEqual(await ahead.read(from, 2 * PAGE_BYTES + 110), content.slice(from));
    assert.deepEqual(asked.slice(1), [[2 * PAGE_BYTES, 2 * PAGE_BYTES + 100]]);
  });

  it("a known beginning is not asked for again, if it is a page or the whole file", async () => {
    const small = fileOf(100, { beginning: Uint8Array.from({ length: 100 }, (_, at) => (at * 31) & 0xff) });
    assert.deepEqual(await small.ahead.read(20, 30), small.content.slice(20, 50));
    assert.deepEqual(small.asked, []);
    const cut = fileOf(100, { beginning: new Uint8Array(99) });
    assert.deepEqual(await cut.ahead.read(0, 100), cut.content);
  });

  it("a request that has failed fails its readers, and the next one asks anew", async () => {
    const file = fileOf(PAGE_BYTES);
    file.fails = true;
    const both = await Promise.allSettled([file.ahead.read(0, 1), file.ahead.read(9, 1)]);
    assert.deepEqual(
      both.map(({ reason }) => reason.message),
      ["cut", "cut"],
    );
    file.fails = false;
    assert.deepEqual(await file.ahead.read(9, 1), file.content.slice(9, 10));
    assert.equal(file.asked.length, 2);
  });

  it("no more is kept than the budget has room for, what was used last; without one the range itself is asked for", async () => {
    const file = fileOf(4 * PAGE_BYTES, { budgetBytes: 2 * PAGE_BYTES });
    for (const page of [0, 1, 0, 2, 0, 1]) await file.ahead.read(page * PAGE_BYTES, 1);
    assert.deepEqual(
      file.asked.map(([offset]) => offset / PAGE_BYTES),
      [0, 1, 2, 1],
    );
    const none = fileOf(4 * PAGE_BYTES, { budgetBytes: PAGE_BYTES - 1 });
    await none.ahead.read(7, 5);
    assert.deepEqual(none.asked, [[7, 5]]);
  });

  it("any ranges in any order are what lies there", async () => {
    const next = random(20261130);
    const { ahead, content } = fileOf(20 * PAGE_BYTES + 7, { budgetBytes: 5 * PAGE_BYTES });
    for (let round = 0; round < 300; round++) {
      const reads = Array.from({ length: 3 }, () => {
        const offset = next.integer(content.length);
        return [offset, 1 + next.integer(Math.min(content.length - offset, 12 * PAGE_BYTES))];
      });
      const found = await Promise.all(reads.map(([offset, length]) => ahead.read(offset, length)));
      for (const [i, [offset, length]] of reads.entries())
        assert.ok(Buffer.from(found[i]).equals(Buffer.from(content.subarray(offset, offset + length))), `${offset}, ${length}`);
    }
  });
});
