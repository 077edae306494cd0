// Where things stand at the widths that people have.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { visitInside } from "./inside_page.mjs";

let inside;
let page;
before(async () => {
  inside = await visitInside();
  page = inside.page;
});
after(() => inside?.close());

const topOf = (selector) => page.evaluate((selector) => document.querySelector(selector).getBoundingClientRect().top + scrollY, selector);

for (const [width, height] of [
  [1440, 900],
  [1024, 768],
  [390, 844],
]) {
  test(`at ${width} pixels a chapter's text and what it counts stand above the fold, and before the picture or beside it`, async () => {
    await page.setViewportSize({ width, height });
    await inside.open("#chapters/why-merge?s=steady&at=75");
    await inside.rest();
    for (const selector of ["h1", "[data-look]", "[data-counters] dd", "[data-picture]"]) {
      const top = await topOf(selector);
      assert.ok(top < height, `${selector} at ${top}`);
    }
    // The way on is in the window; on a phone it comes after the question, and both after the picture.
    if (width > 640) assert.ok((await topOf("[data-turn]")) < height);
    else assert.ok((await topOf('[aria-label="Your turn"]')) < (await topOf("[data-turn]")));
    assert.ok((await topOf("h1")) <= (await topOf("[aria-labelledby=scene-title]")) + 40);
    assert.equal(await page.locator("[data-counters] > div").count(), 3);
    // What the question asks to be done can be done.
    assert.ok(await page.getByRole("button", { name: "Merge all" }).isVisible());
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.equal(content, window);
  });
}

test("a chapter begins at its heading, with its picture and its controls in the window", async () => {
  await page.setViewportSize({ width: 1280, height: 800 });
  await inside.open("#chapters/why-merge");
  const next = page.getByRole("button", { name: "Next" });
  const { y, height } = await next.boundingBox();
  assert.ok(y + height <= 800, `Next ends at ${y + height}`);
  await page.evaluate(() => scrollTo(0, 700));
  await next.click();
  await page.waitForFunction(() => document.querySelector("h1").textContent === "What a merge saves");
  await page.waitForFunction(() => document.querySelector("h1").getBoundingClientRect().top >= 0);
  const boxes = await page.evaluate(() =>
    ["h1", "[data-play]"].map((selector) => document.querySelector(selector).getBoundingClientRect().bottom),
  );
  assert.ok(
    boxes.every((bottom) => bottom <= 800),
    boxes.join(),
  );
  // Who has not gone past the heading stays where he is.
  await page.evaluate(() => scrollTo(0, 0));
  await next.click();
  await page.waitForFunction(() => document.querySelector("h1").textContent === "How a merge runs");
  assert.equal(await page.evaluate(() => scrollY), 0);
});

for (const [room, title] of [
  ["live", "Live"],
  ["explore", "Explore"],
  ["open", "Open"],
  ["inside", "Inside"],
  ["chapters", "Chapters"],
]) {
  test(`the room ${title} has a title of its own, and fits the smallest phone`, async () => {
    await page.setViewportSize({ width: 320, height: 640 });
    await inside.goTo(`#${room}`);
    await page.waitForFunction((title) => document.title === title, `${title} · Sandglass`);
    await page.waitForSelector("main h1");
    const [content, door] = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.querySelector("[aria-label=Rooms] a:last-child").getBoundingClientRect().right,
    ]);
    assert.equal(content, 320);
    assert.ok(door <= 320, `Docs ends at ${door}`);
  });
}

test("captions of the lanes do not run into one another", async () => {
  await inside.goTo("#live");
  await page.waitForSelector("[aria-label^=Partition] button", { timeout: 90_000 });
  for (const width of [1440, 1250, 1100, 1024, 800, 700]) {
    await page.setViewportSize({ width, height: 900 });
    await page.waitForTimeout(300);
    const ends = await page.evaluate(() =>
      [...document.querySelectorAll("[data-caption]")].map((caption) => {
        const range = document.createRange();
        range.selectNodeContents(caption);
        const { left, right, height } = range.getBoundingClientRect();
        return { left, right, height, room: caption.parentElement.clientHeight };
      }),
    );
    ends.forEach(({ left, height, room }, i) => {
      assert.ok(i === 0 || left >= ends[i - 1].right, `caption ${i} at ${width} pixels: ${left} is left of ${ends[i - 1]?.right}`);
      assert.ok(height <= room + 1, `caption ${i} at ${width} pixels is ${height} high, of ${room}`);
    });
  }
  assert.deepEqual(inside.complaints(), []);
});

test("the ring of the picture's focus is seen on all sides", async () => {
  await page.setViewportSize({ width: 1280, height: 900 });
  await inside.open("#inside?s=steady&at=20");
  await inside.rest();
  await page.focus("[data-play]");
  await page.keyboard.press("Shift+Tab");
  const [ring, around] = await page.evaluate(() => {
    const canvas = document.activeElement;
    const { outlineOffset, outlineWidth, outlineStyle } = getComputedStyle(canvas);
    const out = outlineStyle === "none" ? Number.NaN : Number.parseFloat(outlineOffset) + Number.parseFloat(outlineWidth);
    const of = ({ left, top, right, bottom }, by) => [left - by, top - by, -right - by, -bottom - by];
    return [of(canvas.getBoundingClientRect(), out), of(document.querySelector("[data-picture]").getBoundingClientRect(), 0)];
  });
  ring.forEach((side, i) => assert.ok(side >= around[i], `side ${i}: ${side} of ${around[i]}`));
});

test("days on the axis of time have their month's name", async () => {
  await page.addInitScript(() => {
    globalThis.written = new Set();
    const { fillText } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
      globalThis.written.add(text);
      return fillText.call(this, text, ...rest);
    };
  });
  await inside.goTo("#live");
  await page.waitForSelector("figcaption li");
  await page.getByRole("button", { name: "30 d" }).click();
  await page.waitForFunction(() => [...globalThis.written].some((text) => /^\d{1,2} [A-Z][a-z]{2}$/.test(text)));
  assert.deepEqual(
    (await page.evaluate(() => [...globalThis.written])).filter((text) => /^\d+\.\d+\.$/.test(text)),
    [],
  );
});

test("values on an axis are told apart, and none of them is cut off", async () => {
  await page.addInitScript(() => {
    // What stands at the axis of values in the frame that is drawn, and in the one before it.
    globalThis.frame = [];
    const { clearRect, fillText } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.clearRect = function (...rest) {
      globalThis.drawn = globalThis.frame;
      globalThis.frame = [];
      return clearRect.apply(this, rest);
    };
    CanvasRenderingContext2D.prototype.fillText = function (text, x, ...rest) {
      if (this.textAlign === "right") globalThis.frame.push({ text, left: x - this.measureText(text).width });
      return fillText.call(this, text, x, ...rest);
    };
  });
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 900 });
    await page.reload();
    const selector = page.getByRole("combobox", { name: "Selector" });
    await selector.fill('promhttp_metric_handler_requests_total{code="200"}');
    await selector.press("Enter");
    await page.getByRole("button", { name: "1 min" }).click();
    const axis = await page.waitForFunction(
      () => globalThis.drawn?.length > 2 && globalThis.drawn.every(({ text }) => / M$/.test(text)) && globalThis.drawn,
    );
    const labels = await axis.jsonValue();
    assert.equal(new Set(labels.map(({ text }) => text)).size, labels.length, labels.map(({ text }) => text).join());
    for (const { text, left } of labels) assert.ok(left >= 0, `${text} begins at ${left}`);
  }
});
