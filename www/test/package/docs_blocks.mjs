// The code in the documentation: what stands between fences, and in the examples of the types.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const TOP = fileURLToPath(new URL("../../..", import.meta.url));

/** Every page of the documentation that people write, by its path. */
export function pages() {
  const below = (folder) =>
    readdirSync(join(TOP, folder), { withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(".md"))
      .map(({ name }) => join(folder, name));
  return ["", "docs", "docs/guides", "docs/decisions", "examples"].flatMap(below);
}

/** @returns {{ info: string, code: string, line: number }[]} the fenced blocks of a page */
export function blocksOf(path) {
  const text = readFileSync(join(TOP, path), "utf8");
  return [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(({ 1: info, 2: code, index }) => ({
    info,
    code,
    line: text.slice(0, index).split("\n").length,
  }));
}

/** What a program says in its comments that it prints: behind `console.log(…);`, and behind an arrow. */
export function promised(code) {
  return [...code.matchAll(/console\.log\(.*; \/\/ (.+)$|^\s*\/\/ → (.+)$/gm)].map(([, beside, below]) => beside ?? below);
}

/** The examples that stand with the package's types, as the editor shows them. */
export function examples() {
  const src = join(TOP, "www/src");
  const files = readdirSync(src, { recursive: true }).filter((name) => name.endsWith(".ts"));
  return files.flatMap((file) => {
    const text = readFileSync(join(src, file), "utf8");
    return [...text.matchAll(/^ *\* ```(\w+)\n([\s\S]*?)^ *\* ```$/gm)].map(({ 1: language, 2: lines, index }) => ({
      name: `${file.replace(/\W/g, "_")}_${text.slice(0, index).split("\n").length}`,
      language,
      code: lines.replace(/^ *\* ?/gm, ""),
    }));
  });
}
