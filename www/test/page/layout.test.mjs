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
    for (const selector of ["h1", ".chapter .look", ".chapter .turn", ".counters .value", ".picture"]) {
      const top = await topOf(selector);
      assert.ok(top < height, `${selector} at ${top}`);
    }
    assert.ok((await topOf("h1")) <= (await topOf(".scene")) + 40);
    assert.equal(await page.locator(".counters > div").count(), 3);
    // What the question asks to be done can be done.
    assert.ok(await page.getByRole("button", { name: "Merge all" }).isVisible());
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.equal(content, window);
  });
}

test("captions of the lanes do not run into one another", async () => {
  await inside.goTo("#live");
  await page.waitForSelector(".block", { timeout: 90_000 });
  for (const width of [1440, 1250, 1100, 1024, 800, 700]) {
    await page.setViewportSize({ width, height: 900 });
    await page.waitForTimeout(300);
    const ends = await page.evaluate(() =>
      [...document.querySelectorAll(".caption")].map((caption) => {
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
  await page.focus(".play");
  await page.keyboard.press("Shift+Tab");
  const [ring, around] = await page.evaluate(() => {
    const canvas = document.activeElement;
    const { outlineOffset, outlineWidth, outlineStyle } = getComputedStyle(canvas);
    const out = outlineStyle === "none" ? Number.NaN : Number.parseFloat(outlineOffset) + Number.parseFloat(outlineWidth);
    const of = ({ left, top, right, bottom }, by) => [left - by, top - by, -right - by, -bottom - by];
    return [of(canvas.getBoundingClientRect(), out), of(document.querySelector(".picture").getBoundingClientRect(), 0)];
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
  await page.waitForSelector(".legend .value");
  await page.getByRole("button", { name: "30 d" }).click();
  await page.waitForFunction(() => [...globalThis.written].some((text) => /^\d{1,2} [A-Z][a-z]{2}$/.test(text)));
  assert.deepEqual(
    (await page.evaluate(() => [...globalThis.written])).filter((text) => /^\d+\.\d+\.$/.test(text)),
    [],
  );
});
