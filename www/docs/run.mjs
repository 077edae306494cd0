// Runs the code of a page in a frame below its heading: the blocks one after the other, with the package as it is published.

const { code, top } = JSON.parse(document.getElementById("program").textContent);
const base = new URL(top || ".", location.href);

/** What the frame's `console.log` and its errors write is shown; charts come below. */
const PRINT = `
const out = document.querySelector("pre");
const print = (text) => out.append(text + "\\n");
const shown = (value) => typeof value === "string" ? value : JSON.stringify(ArrayBuffer.isView(value) ? [...value] : value);
console.log = (...values) => print(values.map(shown).join(" "));
addEventListener("error", ({ message }) => print(message));
addEventListener("unhandledrejection", ({ reason }) => print(String(reason)));
new ResizeObserver(() => parent.postMessage({ height: document.body.getBoundingClientRect().bottom + 8 }, "*")).observe(document.body);
`;
/** Code that has not ended when its last line has. */
const GOES_ON = /\.live\(|setInterval\(/;
const IMPORTS = {
  sandglass: "sandglass/index.js",
  "sandglass/inline": "sandglass/inline.js",
  "sandglass/uplot": "sandglass/uplot.js",
  uplot: "uplot.js",
};

const addressed = Object.fromEntries(Object.entries(IMPORTS).map(([name, path]) => [name, new URL(path, base).href]));
const FRAME = `<!doctype html><html lang="en"><head><meta charset="utf-8" /><base href="${base.href}" />
<meta name="color-scheme" content="light dark" /><title>The code of this page</title><link rel="stylesheet" href="uplot.css" />
<style>.uplot { background: white; color: black; } body { overflow-x: auto; }</style>
<script type="importmap">${JSON.stringify({ imports: addressed })}</script></head><body><pre>running…
</pre><script>${PRINT}</script><script type="module">
${code}
print(${JSON.stringify(GOES_ON.test(code) ? "running on: what it shows stays up to date" : "done")});
</script></body></html>`;

const button = document.createElement("button");
button.type = "button";
button.className = "run";
button.textContent = "Run this page's code";
const frame = document.createElement("iframe");
frame.title = "What the code of this page prints and draws";
frame.hidden = true;
const more = document.createElement("p");
more.className = "more";
more.textContent = "There is more below: scroll in the frame.";
more.hidden = true;
/** As high as what is in it, and no higher than most of the window. */
addEventListener("message", ({ source, data }) => {
  if (source !== frame.contentWindow || !(data?.height > 0)) return;
  const most = Math.max(320, innerHeight * 0.85);
  frame.style.height = `${Math.min(most, Math.max(160, data.height + 2))}px`;
  more.hidden = data.height + 2 <= most;
});
button.addEventListener("click", () => {
  frame.hidden = false;
  // Another run ends the one before.
  frame.srcdoc = FRAME;
  button.textContent = "Run it again";
});
document.querySelector("h1").after(button, frame, more);
