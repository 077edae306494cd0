// All pages by their paths in the repository, and where each comes to lie in the site.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CONTENTS } from "./contents.mjs";

export const TOP = fileURLToPath(new URL("../..", import.meta.url));
const HERE = fileURLToPath(new URL(".", import.meta.url));
/** What TypeDoc has made of the declarations, and of which. */
const MADE = join(TOP, "dist/api-docs");
const STAMP = join(MADE, ".of");
const DECISIONS = "docs/decisions/";

/** Where a page lies in the site. */
export function placeOf(path) {
  const place = path.replace(/^docs\//, "").replace(/\.md$/, ".html");
  if (path === "examples/README.md") return "examples.html";
  if (path.startsWith("api/")) return place.replace(/README\.html$/, "index.html");
  if (path === DECISIONS) return "decisions/index.html";
  return place.includes("/") ? place : place.toLowerCase();
}

/** @returns {Map<string, string>} texts in Markdown by their paths */
export function readPages() {
  const pages = new Map();
  for (const path of CONTENTS.flatMap(({ pages }) => pages)) {
    if (path === DECISIONS) readDecisions(pages);
    else if (!path.startsWith("api/")) pages.set(path, readFileSync(join(TOP, path), "utf8"));
  }
  for (const [path, text] of readApi()) pages.set(path, text);
  return pages;
}

function readDecisions(pages) {
  const names = readdirSync(join(TOP, DECISIONS)).sort();
  const texts = names.map((name) => readFileSync(join(TOP, DECISIONS, name), "utf8"));
  const list = names.map((name, i) => `- [${titleOf(texts[i])}](${name})`);
  pages.set(DECISIONS, `# What was chosen, and why\n\n${list.join("\n")}\n`);
  names.forEach((name, i) => pages.set(DECISIONS + name, texts[i]));
}

export const titleOf = (text) => /^# (.+)$/m.exec(text)?.[1] ?? "";

/** The API's pages. They are made anew only when the declarations are others, since that takes ten seconds. */
function readApi() {
  const dist = join(TOP, "www/dist");
  if (!existsSync(join(dist, "index.d.ts"))) throw new Error("www/dist is missing: run `make package` first");
  const hash = createHash("sha256");
  const inputs = [
    ...readdirSync(dist, { recursive: true })
      .filter((name) => name.endsWith(".d.ts"))
      .sort()
      .map((name) => join(dist, name)),
    ...readdirSync(join(HERE, "api")).map((name) => join(HERE, "api", name)),
    join(HERE, "typedoc.json"),
  ];
  for (const file of inputs) hash.update(file.slice(TOP.length)).update(readFileSync(file));
  const wanted = hash.digest("hex");
  if (!existsSync(STAMP) || readFileSync(STAMP, "utf8") !== wanted) {
    rmSync(MADE, { recursive: true, force: true });
    mkdirSync(MADE, { recursive: true });
    execFileSync(process.execPath, [join(HERE, "node_modules/typedoc/bin/typedoc"), "--out", MADE], { cwd: HERE, stdio: "inherit" });
    writeFileSync(STAMP, wanted);
  }
  const names = readdirSync(MADE, { recursive: true }).filter((name) => name.endsWith(".md"));
  return names.map((name) => [`api/${name}`, apiText(name, readFileSync(join(MADE, name), "utf8"))]);
}

/** A page of the API names the import it belongs to. */
function apiText(name, text) {
  if (name === "README.md") {
    return text.replace(
      /^# API$/m,
      "# API reference\n\nMade from the package's declarations. Times are milliseconds since the Unix epoch unless a line says otherwise.",
    );
  }
  if (basename(name) === "README.md") return text;
  const of = dirname(dirname(name));
  return text.replace(/^(# .*)$/m, `$1\n\nof [\`${of}\`](../README.md)`);
}
