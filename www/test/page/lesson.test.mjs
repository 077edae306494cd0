// The chapters as a lesson: each ends with a question that is answered by doing, and what they show beside the picture is real.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ids, visitInside } from "./inside_page.mjs";

let inside;
let page;
before(async () => {
  inside = await visitInside({ width: 1280, height: 900 });
  page = inside.page;
});
after(() => inside?.close());

const deed = (name) => page.locator('[aria-label="Do this now"]').getByRole("button", { name, exact: true }).click();
const isAnswered = () => page.locator('[aria-label="Your turn"][data-answered]').count();
/** Behind a deed, from which time always goes on, in a moment. */
const pause = async () => {
  await page.click('[data-play][aria-label="Pause"]');
  await inside.rest();
};
/** Moves the beginning (0) or the end (1) of the walk's window, to so many seconds after the history began. */
const edge = (which, second) =>
  page
    .locator("[aria-labelledby=query-walk-title] input")
    .nth(which)
    .fill(String(Date.UTC(2024, 2, 10, 12, 0, second)));
/** Opens blocks until the question is answered, and tells how many it took. */
async function openBlocks() {
  await page.waitForSelector("[data-zoom]");
  if (await page.locator('[aria-label="The bytes"]').count())
    await page.locator('[aria-label="Where the picture looks into"] button').last().click();
  await page.waitForSelector('[aria-label^="Blocks of part"] button');
  const count = await page.locator('[aria-label^="Blocks of part"] button').count();
  for (let i = 0; i < count; i++) {
    await page.locator('[aria-label^="Blocks of part"] button').nth(i).click();
    await page.waitForSelector('[aria-label="The bytes"]');
    await page.waitForTimeout(50);
    if (await isAnswered()) return i + 1;
    await page.locator('[aria-label="Where the picture looks into"] button').last().click();
    await page.waitForSelector('[aria-label^="Blocks of part"] button');
  }
  return Number.NaN;
}

/** Where it is asked, what does not answer it, and what does. */
const DOINGS = {
  "a-sample-arrives": { at: "s=steady&at=0.9", does: () => deed("Flush") },
  "one-second-later": { at: "s=steady&at=3.5", not: () => deed("Snapshot"), does: () => deed("Crash") },
  "five-seconds-later": {
    at: "s=steady&at=15.5",
    not: () => deed("Crash"),
    async does() {
      for (let second = 16.5; second <= 19.5; second++) {
        await inside.press("ArrowRight");
        await inside.atRest(second * 1000);
      }
      await deed("Crash");
    },
  },
  "why-merge": { at: "s=steady&at=75", does: () => deed("Merge all") },
  "what-a-merge-saves": { at: "s=steady&at=75", does: () => page.getByRole("button", { name: "Race", exact: true }).click() },
  "how-a-merge-runs": {
    at: "s=steady&do=60.3~merge&at=62.5",
    not: () => deed("Merge all"),
    async does() {
      await deed("Late samples");
      await page.waitForFunction(() => document.querySelector("[data-picture] canvas").getAttribute("aria-label").includes("2 months"));
      await deed("Merge all");
    },
  },
  // These lead into a part when they are played to their end.
  "what-a-block-is": { at: "", does: openBlocks },
  "how-numbers-shrink": { at: "", does: openBlocks },
  "finding-a-series": {
    at: "s=churn&do=26.5~ask&at=27.5",
    async does() {
      await page.selectOption("[data-transport] select", "0.1");
      await deed("Merge all");
      await pause();
      await deed("Select");
    },
  },
  "a-querys-walk": {
    at: "s=steady&at=98",
    async does() {
      await edge(1, 45);
    },
  },
  "a-snapshot": {
    at: "s=steady&do=42.3~snapshot,46.3~merge&at=50",
    async does() {
      await deed("Snapshot");
      await page.waitForTimeout(200);
      assert.equal(await isAnswered(), 0);
      await deed("Snapshot");
    },
  },
  "a-crash": {
    at: "s=crash&at=27",
    async not() {
      await deed("Flush");
      await deed("Crash");
    },
    async does() {
      // Before the next scrape, however busy the machine is.
      await page.selectOption("[data-transport] select", "0.1");
      await deed("Snapshot");
      await deed("Crash");
    },
  },
};

describe("each chapter's question is answered by doing, and by nothing else", async () => {
  const chapters = await ids("inside/chapters.ts");
  assert.deepEqual(Object.keys(DOINGS), chapters);
  for (const [id, { at, not, does }] of Object.entries(DOINGS)) {
    test(id, async () => {
      const address = at === "" ? `#chapters/${id}` : `#chapters/${id}?${at}`;
      await inside.open(address);
      if (at === "") await page.selectOption("[data-transport] select", "30");
      await inside.rest();
      if (not) {
        await not();
        await page.waitForTimeout(600);
        assert.equal(await isAnswered(), 0, "what does not answer it");
        await inside.open(address);
        await inside.rest();
      }
      assert.equal(await isAnswered(), 0);
      const took = await does();
      await page.waitForSelector('[aria-label="Your turn"][data-answered] [role=status]:not(:empty)');
      if (took !== undefined) assert.ok(took >= 1, "one of the blocks");
      assert.ok((await page.textContent('[aria-label="Your turn"] [role=status]')).length > 60);
      await page.waitForSelector('[aria-label=Chapters] [aria-current] [aria-label="its question is answered"]');
      assert.deepEqual(inside.complaints(), []);
    });
  }

  test("what was answered is known over a reload", async () => {
    await inside.open("#chapters");
    await page.waitForFunction(
      (count) => document.querySelectorAll('[aria-label=Chapters] [aria-label="its question is answered"]').length === count,
      Object.keys(DOINGS).length,
    );
  });
});

test("a deed at a chapter's end is answered in the question's own words, and time stands still again behind it", async () => {
  await inside.open("#chapters/why-merge?s=steady&at=75");
  await inside.rest();
  await deed("Merge all");
  await page.waitForSelector('[data-play][aria-label="Pause"]');
  await page.waitForSelector('[aria-label="Your turn"][data-answered]');
  const [, from, to] = /^It rose from ([\d.]+)× to ([\d.]+)×: .* were written again/.exec(
    await page.textContent('[aria-label="Your turn"] [role=status]'),
  );
  assert.ok(Number(to) > Number(from), `${from} to ${to}`);
  await page.waitForSelector('[data-play][aria-label="Play"]');
  assert.equal((await inside.rest()).at, "81000");
  assert.deepEqual(inside.complaints(), []);
});

test("the chapter of numbers leads into the counter that it speaks of", async () => {
  await inside.open("#chapters/how-numbers-shrink");
  await page.selectOption("[data-transport] select", "30");
  await page.waitForSelector('[aria-label="The bytes"]');
  await page.locator("[data-picture] [data-zoom]").getByText("a_counter_total").first().waitFor();
  assert.deepEqual(inside.complaints(), []);
});

test("of two engines with the same samples the merged one answers more selects, and reads less for each", async () => {
  await inside.open("#chapters/what-a-merge-saves?s=steady&at=75");
  await page.getByRole("button", { name: "Race", exact: true }).click();
  await page.getByRole("button", { name: "Race on" }).waitFor();
  const lanes = await page.evaluate(() =>
    [...document.querySelectorAll("[data-race-lane]")].map((lane) => ({
      selects: Number(lane.querySelector("p strong").textContent.replaceAll(",", "")),
      says: lane.querySelector(".note").textContent,
    })),
  );
  assert.ok(lanes[1].selects > 1.2 * lanes[0].selects, JSON.stringify(lanes));
  assert.match(lanes[0].says, /40 blocks of 40 parts, .* for 1,000 samples/);
  assert.match(lanes[1].says, /1 block of 1 part, .* for 1,000 samples/);
  // Whoever leaves the chapter leaves the engines behind.
  await page.getByRole("button", { name: "Next" }).click();
  await page.waitForSelector("[aria-labelledby=race-title]", { state: "detached" });
  assert.deepEqual(inside.complaints(), []);
});

test("a query's walk answers what a select of the same window answers", async () => {
  await inside.open("#chapters/a-querys-walk?s=steady&at=98");
  await inside.rest();
  await page.selectOption("[aria-labelledby=query-walk-title] select", { label: 'up{instance="host-0"}' });
  await edge(0, 7);
  await edge(1, 33);
  const counts = () => page.locator("[aria-labelledby=query-walk-title] ol strong").allTextContents();
  // Once a second from 12:00:00 on: 27 samples, in whichever parts they are.
  await page.waitForFunction(
    () => document.querySelectorAll("[aria-labelledby=query-walk-title] ol strong")[4].textContent === "27 samples",
  );
  const [index, parts, blocks, rows] = await counts();
  assert.equal(index, "1 of 12 series");
  const number = (text) => Number(/^[\d,]+/.exec(text)[0].replaceAll(",", ""));
  assert.ok(number(parts) >= 1 && number(blocks) >= number(parts) && number(rows) >= 27, [parts, blocks, rows].join());
  assert.equal(await page.locator("[aria-labelledby=query-walk-title] [data-read]").count(), number(blocks));
  assert.deepEqual(inside.complaints(), []);
});

test("merges over time: each dot tells of its merge", async () => {
  await inside.open("#inside?s=steady&at=118");
  await inside.rest();
  const dots = page.locator('button[aria-label^="Merge of"]');
  const count = await dots.count();
  assert.ok(count >= 2, String(count));
  assert.equal(
    Number(
      await page.evaluate(
        () =>
          [...document.querySelectorAll("[data-counters] > div")]
            .find((one) => one.querySelector("dt").textContent === "merges")
            .querySelector("dd").textContent,
      ),
    ),
    count,
  );
  const told = /Merge of (\d+) parts/.exec(await dots.first().getAttribute("aria-label"))[1];
  await dots.first().click();
  await page.waitForFunction(
    (parts) => document.querySelector("[aria-labelledby=merge-title] strong").textContent === `${parts} parts`,
    told,
  );
  assert.deepEqual(inside.complaints(), []);
});

test("pasted numbers are followed to their bytes, and what is none is named", async () => {
  await inside.open("#chapters/how-numbers-shrink?s=kinds&do=50.3~merge&at=51.5");
  const own = page.locator("[aria-labelledby=own-title]");
  await own.getByRole("textbox").fill("5 5 5; 5, [5] none");
  await own.getByText("5 samples").waitFor();
  await own.getByText("left out: none").waitFor();
  await own.getByText("no byte of this block").waitFor();
  await own.getByRole("textbox").fill("1000 1042 1084 1126");
  // A varint of 42, zig-zagged.
  await own.getByText("delta const").nth(1).waitFor();
  assert.equal(await own.locator("[data-dump]").last().textContent(), "54");
  await own.locator('[aria-label="The bytes"]').scrollIntoViewIfNeeded();
  await own.locator('[aria-label^="The numbers as a curve"]').scrollIntoViewIfNeeded();
  const sketch = await own.locator('[aria-label^="The numbers as a curve"]').boundingBox();
  await page.mouse.move(sketch.x + 2, sketch.y + sketch.height - 10);
  await page.mouse.down();
  await page.mouse.move(sketch.x + sketch.width, sketch.y + 10, { steps: 9 });
  await page.mouse.up();
  await own.getByText("120 samples").waitFor();
  assert.deepEqual(inside.complaints(), []);
});

test("a counter is lit when it moves", async () => {
  await inside.open("#chapters/one-second-later?s=steady&at=3.5");
  await inside.rest();
  assert.equal(await page.locator("[data-counters] [data-lit]").count(), 0);
  await inside.press("ArrowRight");
  await page.waitForSelector("[data-counters] [data-lit]");
  assert.equal(await page.locator("[data-counters] > div").count(), 2);
});
