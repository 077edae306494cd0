// The floors of src/: imports run downward and never in a circle, and docs/ARCHITECTURE.md names the rooms in this order.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

/** Rooms, the lowest first. A file at the top is an entry. */
const FLOORS = ["api", "base", "port", "storage", "engine", "worker", "sharing", "stream", "push", "database", "opening", "react"];

const src = fileURLToPath(new URL("../../src", import.meta.url));
const files = readdirSync(src, { recursive: true }).filter((name) => name.endsWith(".ts"));

/** The file that a specifier means, or nothing when it is no source file: a package, or what the build writes. */
function resolve(from, specifier) {
  const path = relative(src, join(src, dirname(from), specifier));
  return [path.replace(/\.js$/, ".ts"), path.replace(/\.js$/, ".d.ts")].find((name) => files.includes(name));
}

/** What each file imports, for types alone and on demand as well. */
const imports = new Map(
  files.map((file) => {
    const code = readFileSync(join(src, file), "utf8").replace(/^\s*(\*|\/\/|\/\*).*$/gm, "");
    const specifiers = [...code.matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(([, specifier]) => specifier);
    return [file, specifiers.map((specifier) => resolve(file, specifier)).filter((name) => name !== undefined)];
  }),
);

function floorOf(file) {
  const [room, below] = file.split("/");
  return below === undefined ? FLOORS.length : FLOORS.indexOf(room);
}

it("imports run downward", () => {
  assert.ok([...imports.values()].flat().length > 100, "hardly an import was found");
  const wrong = [];
  for (const [file, imported] of imports) {
    assert.notEqual(floorOf(file), -1, `src/${file} is in a room without a floor: give it one here and in docs/ARCHITECTURE.md`);
    for (const other of imported) {
      if (floorOf(other) > floorOf(file) || (floorOf(other) === floorOf(file) && dirname(other) !== dirname(file)))
        wrong.push(`${file} imports ${other}`);
    }
  }
  assert.deepEqual(wrong, []);
});

it("no file imports itself in a circle", () => {
  /** Files whose imports were followed to their ends. */
  const done = new Set();
  const follow = (file, path) => {
    assert.ok(!path.includes(file), [...path, file].join(" -> "));
    if (done.has(file)) return;
    for (const other of imports.get(file)) follow(other, [...path, file]);
    done.add(file);
  };
  for (const file of files) follow(file, []);
});

it("the map has the rooms in this order", () => {
  const map = readFileSync(new URL("../../../docs/ARCHITECTURE.md", import.meta.url), "utf8");
  const [, table] = map.split("| room of `www/src/` | what it is |");
  assert.deepEqual(
    [...table.split("\n\n")[0].matchAll(/^\| `(\w+)\/` \|/gm)].map(([, room]) => room),
    FLOORS,
  );
});
