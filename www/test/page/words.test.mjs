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

test("samples are durable within a second, wherever it is said", () => {
  const said = sentences(/durable (within|after|about|five|5|\d)/);
  assert.ok(said.length >= 2, said.join("\n"));
  assert.deepEqual(
    said.filter((sentence) => !/second|five to eleven|5 to 11/.test(sentence)),
    [],
  );
  assert.match(texts.get("views/about.tsx"), /are durable about a second after they arrive/);
  assert.match(texts.get("README.md"), /\*\*Durable\*\*[^.]* is every sample that was accepted more than a second ago/);
  assert.match(texts.get("docs/STORAGE.md"), /Samples go to a log within a second/);
});

test("what a kill takes at most is the last second, wherever it is said", () => {
  const said = sentences(/(cost|take)s? (at most )?(the|that) last|the last eleven|within the last/);
  assert.ok(said.length >= 3, said.join("\n"));
  assert.deepEqual(
    said.filter((sentence) => !/second/.test(sentence)),
    [],
  );
  assert.match(texts.get("views/about.tsx"), /a crash can cost that last second, a reload costs nothing/);
  assert.match(texts.get("README.md"), /costs what came within the last second/);
  assert.match(texts.get("docs/STORAGE.md"), /costs at most \| all \| what came within the last second/);
});

test("the server's rhythm is named as what is chosen, and as that of the room Inside", () => {
  const said = sentences(/five to eleven|5 to 11|last eleven/);
  assert.deepEqual(said.map((sentence) => sentence.split(":")[0]).sort(), ["docs/STORAGE.md", "inside/chapters.ts", "views/figures.tsx"]);
  assert.match(
    texts.get("docs/STORAGE.md"),
    /From `durableWithin: "5s"` on there is no log and parts go to the storage five to eleven seconds after/,
  );
  assert.match(
    texts.get("inside/chapters.ts"),
    /no write-ahead log on the server, and none in this room, which keeps to the server's rhythm: samples are durable five to eleven seconds after they came, and a kill -9 takes the last eleven seconds at most/,
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
