// The search box. Its index is fetched when somebody goes there for the first time.
import MiniSearch from "minisearch";
import { SEARCH } from "./search_options.mjs";

const box = document.getElementById("search");
const list = document.getElementById("found");
const { top } = document.body.dataset;
let index;

const load = () => {
  index ??= fetch(`${top}search.json`)
    .then((answer) => answer.text())
    .then((text) => MiniSearch.loadJSON(text, SEARCH));
  return index;
};

function show(items) {
  list.replaceChildren(...items);
  list.hidden = items.length === 0;
  box.setAttribute("aria-expanded", String(!list.hidden));
  box.removeAttribute("aria-activedescendant");
}

function itemOf({ place, title, page }, at) {
  const item = document.createElement("li");
  item.id = `found-${at}`;
  item.setAttribute("role", "option");
  const link = document.createElement("a");
  link.href = top + place;
  link.tabIndex = -1;
  link.textContent = title;
  if (page !== title) {
    const where = document.createElement("small");
    where.textContent = ` ${page}`;
    link.append(where);
  }
  item.append(link);
  return item;
}

async function look() {
  const wanted = box.value.trim();
  if (wanted === "") return show([]);
  const found = (await load()).search(wanted);
  // Another letter may have been typed meanwhile.
  if (box.value.trim() !== wanted) return;
  const nothing = document.createElement("li");
  nothing.textContent = "Nothing was found";
  show(found.length === 0 ? [nothing] : found.slice(0, 12).map(itemOf));
}

box.addEventListener("focus", () => void load(), { once: true });
box.addEventListener("input", look);
box.addEventListener("keydown", (event) => {
  const items = [...list.querySelectorAll("[role=option]")];
  const at = items.findIndex((item) => item.hasAttribute("aria-selected"));
  if (event.key === "Escape") show([]);
  else if (event.key === "Enter") items[Math.max(at, 0)]?.querySelector("a").click();
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const next = items[(at + (event.key === "ArrowDown" ? 1 : items.length - 1) + items.length) % items.length];
    items[at]?.removeAttribute("aria-selected");
    next?.setAttribute("aria-selected", "true");
    next?.scrollIntoView({ block: "nearest" });
    if (next) box.setAttribute("aria-activedescendant", next.id);
  }
});
document.addEventListener("click", ({ target }) => target.closest("search") || show([]));
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || /^(input|textarea)$/i.test(document.activeElement?.tagName)) return;
  event.preventDefault();
  box.focus();
});

// The contents are folded on narrow screens only.
const wide = matchMedia("(min-width: 60rem)");
const contents = document.querySelector(".contents details");
const fold = () => (contents.open = wide.matches);
wide.addEventListener("change", fold);
fold();
document.querySelector(".contents [aria-current]")?.scrollIntoView({ block: "nearest" });
