// The tour of the documentation, step by step as it is read: what it has typed is typed, and what it says that one finds is looked
// for on the page. Both are read out of it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openPage } from "../server/chromium.mjs";

const BUILT = fileURLToPath(new URL("../../../dist/page", import.meta.url));
const TOUR = readFileSync(new URL("../../../docs/guides/tour.md", import.meta.url), "utf8");
const PATIENCE = { timeout: 20_000 };
const TOUR_ADDRESS = "page/docs/guides/tour.html";

/** Of each step: its title, what is typed, and what the folded answer has in bold. */
const steps = TOUR.split(/^## (?=\d+\. )/m)
  .slice(1)
  .map((text) => ({
    title: text.split("\n")[0],
    typed: /^```text\n(.*)\n```$/m.exec(text)?.[1],
    answers: [...(/<details>[\s\S]*<\/details>/.exec(text)?.[0] ?? "").matchAll(/\*\*([^*]+)\*\*/g)].map(([, bold]) => bold),
  }));

let visit;
let tour;
/** The tab with the rooms. */
let page;
before(async () => {
  visit = await openPage({ mounts: { page: BUILT } });
  tour = visit.page;
  await tour.setViewportSize({ width: 1280, height: 900 });
  await tour.goto(`${visit.url}/${TOUR_ADDRESS}`);
});
after(() => visit?.close());

/** Presses a link of the tour to a room, in the section of a step. */
async function press(at, name) {
  const link = tour.locator(`h2[id^="${at}-"] ~ p`).getByRole("link", { name, exact: true }).first();
  const opens = page === undefined && tour.waitForEvent("popup");
  await link.click();
  if (!opens) return;
  page = await opens;
  page.on("pageerror", (error) => visit.errors.push(String(error.stack ?? error)));
  page.on("console", (message) => message.type() === "error" && visit.errors.push(message.text()));
  await page.setViewportSize({ width: 1280, height: 900 });
}

const button = (name) => page.getByRole("button", { name, exact: true });
/** What stands under a name among the figures at the top of Live. */
const figure = (name) =>
  [...document.querySelectorAll('[aria-label="State of the database"] > div')]
    .find((one) => one.querySelector("dt").textContent === name)
    ?.querySelector("dd").textContent;
/** Waits until what `read` gives in the page is what the tour says. */
const finds = async (read, expected, argument) => {
  const deadline = Date.now() + PATIENCE.timeout;
  let found;
  do {
    found = await page.evaluate(read, argument).catch(String);
    if (JSON.stringify(found) === JSON.stringify(expected)) return;
    await page.waitForTimeout(100);
  } while (Date.now() < deadline);
  assert.deepEqual(found, expected);
};
const legend = () => [...document.querySelectorAll("main figcaption li")].map((line) => line.textContent);
const parts = () =>
  [...document.querySelectorAll("[aria-label^=Partition]")].map((month) => String(month.querySelectorAll("button").length));

async function select(selector) {
  const field = page.getByRole("combobox", { name: "Selector" });
  await field.click();
  await field.fill("");
  await page.keyboard.type(selector);
  await page.keyboard.press("Enter");
}
async function ask(query) {
  await page.getByRole("textbox", { name: "Query A" }).click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type(query);
  await page.keyboard.press("Enter");
}
const table = () =>
  [...document.querySelectorAll("[data-shape=table] tbody tr")].map((row) => [...row.children].map((cell) => cell.textContent));

function step(at, name, run) {
  test(`${at}. ${name}`, async () => {
    const { title, typed, answers } = steps[at - 1];
    assert.equal(title, `${at}. ${name}`);
    await run({ typed, answers });
    assert.deepEqual(visit.errors, []);
  });
}

step(1, "Samples and series", async ({ answers: [stored, answered] }) => {
  await press(1, "Live");
  await page.waitForFunction(
    () =>
      document.querySelector("[aria-label^=Partition] button") &&
      !/writing/.test(document.querySelector('[aria-label="State of the database"]').textContent),
    null,
    { timeout: 90_000 },
  );
  await finds(figure, stored, "series");
  assert.match(await page.textContent("[aria-labelledby=data-title]"), new RegExp(`\\b${answered} series\\b`));
});

step(2, "A selector", async ({ typed, answers: [processors] }) => {
  await press(2, "Live");
  await select(typed);
  await page.waitForFunction(() => document.querySelector("main figcaption li")?.textContent.startsWith("cpu 0"), null, PATIENCE);
  assert.equal(String((await page.evaluate(legend)).length), processors);
});

step(3, "A counter", async ({ typed, answers: [rate] }) => {
  await select(typed);
  await button("Per second").click();
  await finds(() => [...document.querySelectorAll("main figcaption li")].map((line) => line.lastElementChild.textContent), [rate]);
});

step(4, "How samples are stored", async ({ answers: [left, lost] }) => {
  await button("Pause").click();
  let before;
  let still = 0;
  while (still < 15) {
    const samples = await page.evaluate(figure, "samples");
    still = samples === before ? still + 1 : 0;
    before = samples;
    await page.waitForTimeout(200);
  }
  const months = (await page.evaluate(parts)).length;
  await button("Merge all").click();
  await finds(parts, Array(months).fill(left));
  const after = await page.evaluate(figure, "samples");
  assert.equal(String(Number(before.replaceAll(",", "")) - Number(after.replaceAll(",", ""))), lost);
  await button("Go on").click();
});

step(5, "A query", async ({ typed, answers: [modes, each] }) => {
  await press(5, "Explore");
  await ask(typed);
  await button("Table").click();
  await finds(() => [...document.querySelectorAll("[data-shape=table] thead th")].map((head) => head.textContent), ["mode", "value"]);
  const rows = await page.evaluate(table);
  assert.equal(String(rows.length), modes);
  assert.deepEqual([...new Set(rows.map((row) => row.at(-1)))], [each]);
});

step(6, "How fast a counter grows", async ({ typed, answers: [seconds] }) => {
  await ask(typed);
  await button("Chart").click();
  await finds(
    (typed) => {
      const row = document.querySelector("[data-shape=chart] tbody tr");
      const at = [...document.querySelectorAll("[data-shape=chart] thead th")].findIndex((head) => head.textContent.startsWith("Mean"));
      return row?.textContent.includes(typed) && String(Number(Number(row.children[at]?.textContent).toFixed(1)));
    },
    seconds,
    typed,
  );
});

step(7, "Two languages", async ({ typed, answers: [message] }) => {
  await ask(typed);
  await finds((typed) => document.querySelector("[data-shape=chart] tbody tr")?.textContent.includes(typed), true, typed);
  await button("PromQL").click();
  await page.getByRole("alert").filter({ hasText: message }).waitFor(PATIENCE);
  await button("MetricsQL").click();
  await finds((typed) => document.querySelector("[data-shape=chart] tbody tr")?.textContent.includes(typed), true, typed);
});

step(8, "Somebody sends you a snapshot", async ({ answers: [heaviest, longest] }) => {
  await press(8, "Open");
  await page.getByRole("link", { name: "Open an example" }).click();
  await page.getByText(/^Weighed by the headers of/).waitFor(PATIENCE);
  const metrics = await page.evaluate(() =>
    [...document.querySelectorAll("[aria-labelledby=heavy-title] table")[0].querySelectorAll("tbody tr")]
      .filter((row) => row.children.length === 4)
      .map((row) => [...row.children].map((cell) => cell.textContent)),
  );
  const size = (text) => Number.parseFloat(text) * (/ k/.test(text) ? 1000 : 1);
  const most = (column) => metrics.toSorted((one, other) => size(other[column]) - size(one[column]))[0];
  assert.equal(most(3)[0], heaviest);
  assert.equal(most(2)[0], longest);
  assert.equal(Math.round(size(most(2)[2]) / size(most(3)[2])), 4);
  assert.equal(Math.round(size(most(3)[3]) / size(most(2)[3])), 2);
});

step(9, "A question to the snapshot", async ({ typed, answers: [room, degrees] }) => {
  await page.getByRole("link", { name: "Explore it" }).click();
  await ask(typed);
  await button("Table").click();
  await finds(() => [...document.querySelectorAll("[data-shape=table] tbody tr")].map((row) => row.querySelectorAll("td, th").length), [4]);
  const [row] = await page.evaluate(table);
  assert.ok(row.includes(room) && row.includes(degrees), row.join());
});

step(10, "Down to the bytes", async ({ typed, answers: [value, bytes, rows] }) => {
  await press(10, "the example in Explore");
  await ask(typed);
  await button("Raw").click();
  await page.locator("[aria-label=Samples] td a").first().click();
  await page.getByText(new RegExp(`^It is row ${rows} of ${rows} of `)).waitFor(PATIENCE);
  const stored = await page.evaluate(() =>
    [...document.querySelectorAll("main tbody tr")]
      .map((row) => [...row.children].map((cell) => cell.textContent))
      .find(([column]) => column === "value"),
  );
  assert.equal(stored[1], value);
  assert.match(stored[3], /^difference from the row before/);
  assert.equal(String(stored[4].trim().split(" ").length), bytes);
});

test("its links lead to rooms that are there, in one tab", async () => {
  assert.equal(steps.length, 10);
  const links = await tour.locator("main a[target]").evaluateAll((found) => found.map((link) => link.href));
  assert.ok(links.length > 10);
  for (const link of new Set(links)) {
    await tour
      .locator(`main a[target][href$="${new URL(link).hash}"]`)
      .first()
      .click();
    await page.waitForURL((url) => url.href.startsWith(link), PATIENCE);
    await page.waitForSelector("main h1, main h2", PATIENCE);
  }
  assert.equal(tour.context().pages().length, 2);
  assert.deepEqual(visit.errors, []);
});

test("the room that one comes to first leads to it, and it leads on", async () => {
  await page.goto(`${visit.url}/page/index.html`);
  await page.getByRole("link", { name: "A tour in twenty minutes" }).click();
  await page.waitForURL(`${visit.url}/${TOUR_ADDRESS}`);
  assert.match(await page.textContent("h1"), /^A tour in twenty minutes/);
});
