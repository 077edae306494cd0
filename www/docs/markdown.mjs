// Markdown to HTML: code in colours, headings with anchors, links that lead to the page of a file or to the file itself.
import { posix } from "node:path";
import MarkdownIt from "markdown-it";
import { createHighlighter } from "shiki";

const LANGUAGES = ["js", "jsx", "ts", "tsx", "vue", "svelte", "html", "css", "sh", "rust", "json", "http", "text"];
const highlighter = await createHighlighter({ themes: ["github-light-high-contrast", "github-dark-high-contrast"], langs: LANGUAGES });

/** The page with the rooms, as links in the documentation name it. */
export const ROOMS = "www/page/index.html";

/** As GitHub names headings, so that a link leads to the same place there. */
export function slug(text, taken) {
  const base = text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");
  let name = base;
  for (let copy = 1; taken.has(name); copy++) name = `${base}-${copy}`;
  taken.add(name);
  return name;
}

const WIDE = '<div class="wide" tabindex="0"><table>';

/** Headings that say nothing of what stands below them: it is found with what stands above. */
const GENERIC =
  /^(Examples?|Parameters|Returns|Properties|Methods|Overrides|Extends|Extended by|Inherited from|Type Declaration|Call Signature)$/;

const plain = (tokens) => tokens.map(({ type, content }) => (type === "text" || type === "code_inline" ? content : "")).join("");

/**
 * Renders one page.
 *
 * @param {string} path of its source
 * @param {string} text
 * @param {(target: string) => string} hrefOf gets a path of the repository that a link leads to, perhaps with an anchor
 */
export function render(path, text, hrefOf) {
  const headings = [];
  /** Its blocks of JavaScript are one program. */
  const program = [];
  const sections = [{ title: "", anchor: "", text: "" }];
  const taken = new Set();
  const markdown = MarkdownIt({
    html: true,
    highlight: (code, info) => {
      const [lang] = info.split(" ");
      return highlighter.codeToHtml(code.trimEnd(), {
        lang: LANGUAGES.includes(lang) ? lang : "text",
        themes: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
        defaultColor: "light-dark()",
      });
    },
  });
  const tokens = markdown.parse(text, {});
  const resolve = (target) => {
    if (/^[a-z]+:/.test(target)) return target;
    if (target.startsWith("#")) return hrefOf(path + target);
    return hrefOf(posix.join(path.endsWith("/") ? path : posix.dirname(path), target));
  };
  tokens.forEach((token, at) => {
    if (token.type === "heading_open") {
      const inline = tokens[at + 1];
      const title = plain(inline.children);
      const anchor = slug(title, taken);
      const level = Number(token.tag.slice(1));
      token.attrSet("id", anchor);
      headings.push({ level, title, anchor });
      if (!GENERIC.test(title)) sections.push({ title, anchor, text: "" });
    } else if (token.type === "inline") {
      for (const child of token.children) {
        // Who reads what is to be done in a room keeps it before the eyes: the rooms have a tab of their own, the same for all links.
        if (child.attrGet("href")?.includes(`${ROOMS}#`)) child.attrSet("target", "sandglass-rooms");
        for (const name of ["href", "src"]) if (child.attrGet(name)) child.attrSet(name, resolve(child.attrGet(name)));
      }
      sections.at(-1).text += ` ${plain(token.children)}`;
    } else if (token.type === "fence") {
      sections.at(-1).text += ` ${token.content}`;
      if (token.info === "js") program.push(token.content);
    }
  });
  const anchors = new Set([...taken, ...[...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)]);
  const rules = markdown.renderer.rules;
  // Wide tables scroll, not the page; who has no mouse scrolls them as well.
  rules.table_open = () => WIDE;
  rules.table_close = () => "</table></div>";
  rules.html_block = (tokens, at) => tokens[at].content.replace("<table>", WIDE).replace("</table>", "</table></div>");
  rules.heading_close = (tokens, at) => {
    const { tag } = tokens[at];
    let opening = at;
    while (tokens[opening].type !== "heading_open") opening--;
    const anchor = tokens[opening].attrGet("id");
    return tag === "h1" ? "</h1>" : ` <a class="anchor" href="#${anchor}" aria-label="Link to this section">#</a></${tag}>`;
  };
  const html = markdown.renderer
    .render(tokens, markdown.options, {})
    // A table in Markdown always has a row of headings; an empty one is none.
    .replace(/<thead>\s*<tr>\s*(<th[^>]*><\/th>\s*)+<\/tr>\s*<\/thead>/g, "")
    .replace(/<th><\/th>/g, "<td></td>");
  return { html, headings, sections, anchors, program: program.join("\n") };
}
