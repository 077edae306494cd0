// How the page's styles are kept: one sheet whose names hold everywhere, and a module beside each component that needs more.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const PAGE = fileURLToPath(new URL("../../page/", import.meta.url));
const names = readdirSync(PAGE, { recursive: true });
const read = (name) => readFileSync(join(PAGE, name), "utf8");

/** The classes that every room may use by their names. */
const SHARED = new Set(
  "hidden card card-head hint note reading problem nothing controls actions button primary quiet danger link chip".split(" "),
);
/** Those of libraries, which only the libraries set. */
const FOREIGN = /^(uplot|u-[a-z-]+|cm-[a-zA-Z-]+)$/;

const sheets = names.filter((name) => name.endsWith(".css"));
const modules = sheets.filter((name) => name.endsWith(".module.css"));

/** Its rules: what they select, and their declarations. Blocks that hold rules, such as @media, are looked through. */
function rulesOf(sheet) {
  const text = read(sheet)
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/@(media|container|layer)[^{]*\{/g, "");
  return [...text.matchAll(/([^{};]+)\{([^{}]*)\}/g)].map(([, selector, body]) => ({
    selector: selector.replace(/^[\s}]+/, "").trim(),
    declarations: [...body.matchAll(/([\w-]+)\s*:\s*([^;]+);/g)].map(([, property, value]) => [property, value.trim()]),
  }));
}
const rules = new Map(sheets.map((sheet) => [sheet, rulesOf(sheet)]));
const classesIn = (selector) => [...selector.matchAll(/\.([a-zA-Z][\w-]*)/g)].map(([, name]) => name);
const isGlobal = /:global\(([^()]*)\)/g;

/** Which modules a component takes, by the name that it has for each; and the classes that it sets. */
const components = names
  .filter((name) => name.endsWith(".tsx"))
  .map((name) => {
    const text = read(name);
    const taken = new Map(
      [...text.matchAll(/^import (\w+) from "([^"]+\.module\.css)";$/gm)].map(([, as, path]) => [as, normalize(join(dirname(name), path))]),
    );
    const code = text.replace(/^import [^;]*;$/gm, "");
    const local = [...taken].flatMap(([as, sheet]) =>
      [...code.matchAll(new RegExp(`(?<![\\w.])${as}\\.(\\w+)`, "g"))].map(([, of]) => ({ sheet, of })),
    );
    const plain = [...text.matchAll(/\bclass=(?:"([^"]*)"|\{((?:[^{}]|\$\{[^{}]*\})*)\})/g)].flatMap(([, words, expression]) =>
      words === undefined
        ? [...expression.matchAll(/"([^"]*)"|`([^`]*)`/g)]
            // What is compared with is no class.
            .filter(({ index }) => !/[!=]== $/.test(expression.slice(0, index)))
            .map(([, quoted, template]) => quoted ?? template.replace(/\$\{[^{}]*\}/g, " "))
        : [words],
    );
    return { name, taken, local, plain: plain.flatMap((words) => words.split(/\s+/).filter(Boolean)) };
  });

test("there is one sheet for all, and modules", () => {
  assert.deepEqual(
    sheets.filter((name) => !name.endsWith(".module.css")),
    ["style.css"],
  );
  assert.ok(modules.length > 30, String(modules.length));
});

test("the one sheet's classes are the shared ones, and each of them is set somewhere", () => {
  const found = new Set(rules.get("style.css").flatMap(({ selector }) => classesIn(selector)));
  assert.deepEqual(
    [...found].filter((name) => !SHARED.has(name) && !FOREIGN.test(name)),
    [],
  );
  const set = new Set(components.flatMap(({ plain }) => plain));
  assert.deepEqual(
    [...SHARED].filter((name) => !found.has(name) || !set.has(name)),
    [],
  );
});

test("what a component sets by a plain name is a shared class", () => {
  const strange = components.flatMap(({ name, plain }) => plain.filter((word) => !SHARED.has(word)).map((word) => `${name}: ${word}`));
  assert.deepEqual(strange, []);
});

test("every class of a module is set by a component that takes it, and every class that is set is there", () => {
  const set = new Map(modules.map((sheet) => [sheet, new Set()]));
  const missing = [];
  const defined = new Map(
    modules.map((sheet) => [sheet, new Set(rules.get(sheet).flatMap(({ selector }) => classesIn(selector.replace(isGlobal, ""))))]),
  );
  for (const { name, taken, local } of components) {
    for (const sheet of taken.values()) assert.ok(set.has(sheet), `${name} takes ${sheet}`);
    for (const { sheet, of } of local) {
      set.get(sheet).add(of);
      if (!defined.get(sheet).has(of)) missing.push(`${name}: ${of} is not in ${sheet}`);
    }
  }
  const unused = modules.flatMap((sheet) => [...defined.get(sheet)].filter((of) => !set.get(sheet).has(of)).map((of) => `${sheet}: ${of}`));
  assert.deepEqual([...missing, ...unused], []);
});

test("a module names no class of another one", () => {
  const strange = modules.flatMap((sheet) =>
    rules
      .get(sheet)
      .flatMap(({ selector }) => [...selector.matchAll(isGlobal)].flatMap(([, inner]) => classesIn(inner)))
      .filter((name) => !SHARED.has(name) && !FOREIGN.test(name))
      .map((name) => `${sheet}: ${name}`),
  );
  assert.deepEqual(strange, []);
});

test("sizes of text, radii and colours are the one sheet's, by their names", () => {
  const isSize = /^var\(--(text-\d|text-code|title(-\w+)?|figure)\)$/;
  const isRadius = /^(0|inherit|var\(--(radius-[1-4]|round)\))$/;
  const isColour = /#[0-9a-f]{3,8}\b|\b(rgb|rgba|hsl|hwb|lab|lch|oklab|oklch)\(/i;
  const tokens = new Set();
  const used = new Map();
  const literal = [];
  for (const [sheet, all] of rules) {
    for (const { selector, declarations } of all) {
      for (const [property, value] of declarations) {
        for (const [, name] of value.matchAll(/var\((--[\w-]+)/g)) used.set(name, sheet);
        if (property.startsWith("--")) tokens.add(property);
        if (sheet === "style.css" && selector === ":root") continue;
        const isWrong =
          property === "font-size"
            ? !isSize.test(value)
            : /^border-.*radius$/.test(property)
              ? value.split(/\s+/).some((one) => !isRadius.test(one))
              : isColour.test(value);
        if (isWrong) literal.push(`${sheet}: ${selector} { ${property}: ${value} }`);
      }
    }
  }
  // The query box has its styles from its editor.
  for (const name of names.filter((name) => name.endsWith(".tsx")))
    for (const [found] of read(name).matchAll(/\b(fontSize|borderRadius|boxShadow): "(?!var\(--)[^"]*"/g))
      literal.push(`${name}: ${found}`);
  assert.deepEqual(literal, []);
  // Some are set where they are known: the place that is zoomed into, how much is done.
  const inline = new Set(
    names
      .filter((name) => name.endsWith(".tsx"))
      .flatMap((name) => read(name).match(/(?<=setProperty\(")--[\w-]+|(?<=")--[\w-]+(?=":)/g) ?? []),
  );
  assert.deepEqual(
    [...used].filter(([name]) => !tokens.has(name) && !inline.has(name)),
    [],
  );
  for (const [kind, most] of [
    ["--text-\\d", 6],
    ["--radius-", 4],
  ])
    assert.ok([...tokens].filter((name) => new RegExp(`^${kind}`).test(name)).length <= most, kind);
});
