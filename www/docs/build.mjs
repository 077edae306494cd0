// Builds the documentation site into dist/page/docs/, or into the folder that is named. A link that leads nowhere ends it.
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import MiniSearch from "minisearch";
import { CONTENTS } from "./contents.mjs";
import { ROOMS, render } from "./markdown.mjs";
import { SEARCH } from "./search_options.mjs";
import { placeOf, readPages, titleOf, TOP } from "./source.mjs";
import { pageOf } from "./template.mjs";

const REPOSITORY = "https://github.com/sandglass-tsdb/sandglass";
const [target = join(TOP, "dist/page/docs")] = process.argv.slice(2);

const pages = readPages();
const nameOf = (path) => (path === "README.md" ? "The README" : titleOf(pages.get(path)));
const problems = [];
/** Links to be looked up when all anchors are known. */
const links = [];
/** Pictures and other files that pages show. */
const files = new Set();

function hrefFrom(path) {
  const from = posix.dirname(placeOf(path));
  return (to) => {
    const [bare, anchor] = to.split("#");
    const file = bare.replace(/\/$/, "");
    // In the repository the types are the reference, in the site what is made of them.
    const page =
      file === "www/src/api"
        ? "api/README.md"
        : [bare, `${file}/`, `${file}/README.md`, `${file}/index.md`].find((name) => pages.has(name));
    if (page !== undefined) {
      links.push({ path, page, anchor });
      return posix.relative(from, placeOf(page)) + (anchor ? `#${anchor}` : "");
    }
    // The rooms lie beside the documentation.
    if (bare === ROOMS) return `${posix.join(posix.relative(from, "."), "../index.html")}#${anchor}`;
    const real = join(TOP, file);
    if (!existsSync(real)) problems.push(`${path} links to ${to}, which is not there`);
    else if (/\.(png|svg|webp)$/.test(file)) {
      files.add(file);
      return posix.relative(from, file.replace(/^docs\//, ""));
    }
    return `${REPOSITORY}/${existsSync(real) && statSync(real).isDirectory() ? "tree" : "blob"}/main/${file}`;
  };
}

rmSync(target, { recursive: true, force: true });
const order = CONTENTS.flatMap(({ pages }) => pages);
const search = new MiniSearch(SEARCH);
const anchors = new Map();
let sections = 0;
for (const [path, text] of pages) {
  const place = placeOf(path);
  const from = posix.dirname(place);
  const hrefOf = hrefFrom(path);
  const page = render(path, text, hrefOf);
  anchors.set(path, page.anchors);
  const title = nameOf(path);
  const next = order[order.indexOf(path) + 1];
  // Decisions and the API's pages stand below their lists.
  const inContents = order.includes(path)
    ? path
    : order.find((other) => path.startsWith(other.replace(/README\.md$/, "")) && other.includes("/"));
  const contents = CONTENTS.map(({ title, pages }) => ({
    title,
    pages: pages.map((other) => ({ title: nameOf(other), href: posix.relative(from, placeOf(other)), isCurrent: other === inContents })),
  }));
  const html = pageOf({
    title,
    html: page.html,
    top: posix.relative(from, ".") === "" ? "" : `${posix.relative(from, ".")}/`,
    contents,
    headings: page.headings,
    source: existsSync(join(TOP, path)) && path.endsWith(".md") ? `${REPOSITORY}/edit/main/${path}` : undefined,
    // The style sheet of charts is linked where the code runs.
    program: path.startsWith("docs/guides/") ? page.program.replace(/^import ".*\.css";$/gm, "") : undefined,
    next: order.includes(path) && next ? { title: nameOf(next), href: posix.relative(from, placeOf(next)) } : undefined,
  });
  mkdirSync(dirname(join(target, place)), { recursive: true });
  writeFileSync(join(target, place), html);
  for (const { title: heading, anchor, text } of page.sections) {
    if (text.trim() === "" && heading === "") continue;
    const isTop = heading === "" || heading === titleOf(text) || anchor === page.headings[0]?.anchor;
    search.add({ id: sections++, title: isTop ? title : heading, page: title, place: place + (isTop ? "" : `#${anchor}`), text });
  }
}
for (const { path, page, anchor } of links) {
  if (anchor && !anchors.get(page).has(anchor)) problems.push(`${path} links to #${anchor} of ${page}, which is not there`);
}
if (problems.length > 0) throw new Error(problems.join("\n"));

for (const file of files) {
  const place = join(target, file.replace(/^docs\//, ""));
  mkdirSync(dirname(place), { recursive: true });
  cpSync(join(TOP, file), place);
}
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
cpSync(here("style.css"), join(target, "style.css"));
writeFileSync(join(target, "search.json"), JSON.stringify(search));
// What readers run: the package, a chart, and something to scrape.
for (const name of readdirSync(join(TOP, "www/dist"))) {
  if (/\.(js|wasm)$/.test(name)) cpSync(join(TOP, "www/dist", name), join(target, "sandglass", name));
}
cpSync(join(TOP, "www/node_modules/uplot/dist/uPlot.esm.js"), join(target, "uplot.js"));
cpSync(join(TOP, "www/node_modules/uplot/dist/uPlot.min.css"), join(target, "uplot.css"));
writeFileSync(join(target, "metrics"), "process_open_fds 12\n");
await build({
  entryPoints: [here("search.mjs"), here("run.mjs")],
  bundle: true,
  format: "esm",
  minify: true,
  outdir: target,
  logLevel: "warning",
});
console.log(`${pages.size} pages of documentation in ${posix.relative(TOP, target)}/`);
