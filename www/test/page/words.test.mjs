// What the page says of the engine is what the README and docs/STORAGE.md say, and one word means one thing.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { before, test } from "node:test";

const ROOT = new URL("../../../", import.meta.url);
const texts = new Map();
const flat = (text) => text.replaceAll(/\s+/g, " ");

before(async () => {
  for (const path of await readdir(new URL("www/page/", ROOT), { recursive: true })) {
    if (/\.(tsx?|html)$/.test(path)) texts.set(path, flat(await readFile(new URL(`www/page/${path}`, ROOT), "utf8")));
  }
  for (const path of ["README.md", "docs/STORAGE.md"]) texts.set(path, flat(await readFile(new URL(path, ROOT), "utf8")));
});

const sentences = (pattern) =>
  [...texts].flatMap(([path, text]) =>
    text
      .split(/(?<=[.;:|])\s|["`]/)
      .filter((sentence) => pattern.test(sentence))
      .map((sentence) => `${path}: ${sentence}`),
  );

test("samples are durable after five to eleven seconds, wherever it is said", () => {
  const said = sentences(/durable (within|after|five|5|\d)/);
  assert.ok(said.length >= 5, said.join("\n"));
  assert.deepEqual(
    said.filter((sentence) => !/five to eleven|5 to 11/.test(sentence)),
    [],
  );
});

test("what a kill takes at most is twelve seconds, wherever it is said", () => {
  const said = sentences(/at most the last|the last twelve/);
  assert.ok(said.length >= 4, said.join("\n"));
  assert.deepEqual(
    said.filter((sentence) => !/twelve/.test(sentence)),
    [],
  );
});

test("a merge is put off when there is no room for it, and for nothing else", () => {
  const said = sentences(/put off/i).filter((sentence) => !/^\S*\.tsx?: \s*(\/\/|\*)/.test(sentence));
  assert.deepEqual(
    said.filter((sentence) => !/would not fit|room|Put off a merge of/.test(sentence)),
    [],
  );
});

test("nobody is said to wait for nothing: who writes can have to help", () => {
  assert.deepEqual(sentences(/nobody waits/i), []);
  assert.match(texts.get("inside/chapters.ts"), /Who writes waits for one only when more than 256 parts/);
});

test("the page says which server it follows, and what is kept of a number", () => {
  for (const path of ["views/live_room.tsx", "views/about.tsx", "README.md"]) assert.match(texts.get(path), /1\.72/, path);
  assert.deepEqual(sentences(/just as the server|as with the server/), []);
  for (const path of ["views/about.tsx", "inside/chapters.ts", "README.md", "docs/STORAGE.md"])
    assert.match(texts.get(path), /12 to 15 significant decimal digits/, path);
});
