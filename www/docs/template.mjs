// What stands round the text of a page. All links are relative, so that the site works below any path.

const escape = (text) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

/**
 * @param {object} page
 * @param {string} page.title
 * @param {string} page.html
 * @param {string} page.top the way to the site's top folder, such as "../"
 * @param {{ title: string, pages: { title: string, href: string, isCurrent: boolean }[] }[]} page.contents
 * @param {{ level: number, title: string, anchor: string }[]} page.headings
 * @param {string | undefined} page.source where the page is edited
 * @param {{ title: string, href: string } | undefined} page.next
 * @param {string | undefined} page.program what a reader may run
 */
export function pageOf({ title, html, top, contents, headings, source, next, program }) {
  const outline = headings.filter(({ level }) => level === 2 || level === 3);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<title>${escape(title === "Sandglass" ? "Sandglass: documentation" : `${title} · Sandglass`)}</title>
<meta name="color-scheme" content="light dark" />
<link rel="icon" href="${top}../favicon.svg" type="image/svg+xml" />
<link rel="stylesheet" href="${top}style.css" />
<script type="module" src="${top}search.js"></script>
</head>
<body data-top="${top}">
<a class="skip" href="#content">Skip to the content</a>
<header class="top">
<a class="brand" href="${top}index.html">Sandglass <span>documentation</span></a>
<search><input id="search" type="search" placeholder="Search" aria-label="Search the documentation" autocomplete="off" role="combobox" aria-controls="found" aria-expanded="false" /><ul id="found" role="listbox" aria-label="What was found" hidden></ul></search>
<nav aria-label="Rooms"><a href="${top}../index.html">The page</a> <a href="https://github.com/sandglass-tsdb/sandglass">Source</a></nav>
</header>
<div class="columns">
<nav class="contents" aria-label="Contents"><details><summary>Contents</summary>
${contents.map(({ title, pages }) => `<h2>${escape(title)}</h2><ul>${pages.map(entry).join("")}</ul>`).join("\n")}
</details></nav>
<main id="content">
${html}
<footer>${next ? `<a class="next" href="${next.href}">Next: ${escape(next.title)}</a>` : ""}${source ? `<a href="${source}">Edit this page</a>` : ""}</footer>
</main>
${program ? `<script type="application/json" id="program">${JSON.stringify({ code: program, top }).replaceAll("<", "\\u003c")}</script><script type="module" src="${top}run.js"></script>` : ""}
${outline.length > 1 ? `<nav class="outline" aria-label="On this page"><h2>On this page</h2><ul>${outline.map(({ level, title, anchor }) => `<li class="level-${level}"><a href="#${anchor}">${escape(title)}</a></li>`).join("")}</ul></nav>` : ""}
</div>
</body>
</html>
`;
}

const entry = ({ title, href, isCurrent }) => `<li><a href="${href}"${isCurrent ? ' aria-current="page"' : ""}>${escape(title)}</a></li>`;
