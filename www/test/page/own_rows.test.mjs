// Numbers of one's own in the room Inside: they fall as rows, become parts and blocks, and are a part of the address.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { visitInside } from "./inside_page.mjs";

let inside;
let page;
before(async () => {
  inside = await visitInside({ width: 1280, height: 900 });
  page = inside.page;
});
after(() => inside?.close());

const own = () => page.getByRole("region", { name: "Numbers of your own" });
const text = () => own().getByRole("textbox");
const fall = () => own().getByRole("button", { name: "Let them fall" });
const says = (wanted) => own().getByText(wanted).waitFor({ timeout: 30_000 });
const address = () => page.evaluate(() => location.hash);
async function openAt(second, more = "") {
  await inside.open(`#inside?s=steady${more}&at=${second}`);
  await inside.atRest(second * 1000);
  await inside.press("o");
  await text().waitFor();
}
/** The address follows what is shown a moment later. */
async function addressAt(ms) {
  await page.waitForFunction((seconds) => new RegExp(`at=${seconds}(&|$)`).test(location.hash), Number(ms) / 1000);
  return address();
}
/** Behind a deed time goes on for a while. */
async function settled() {
  await page.waitForSelector('[data-play][aria-label="Play"]');
  return inside.rest();
}

test("opened by its key it has the focus, and the place where it will tell something", async () => {
  await openAt(20.5);
  assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), "Numbers of your own");
  assert.equal(await own().locator("[role=status]").last().textContent(), "");
  await inside.press("o");
  await own().waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Own numbers" }).click();
  await text().waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Own numbers");
  assert.deepEqual(inside.complaints(), []);
});

test("pasted numbers fall, go to disk and are found down to their bytes, and the address has them", async () => {
  await openAt(20.5);
  await text().fill("100 150 151; 1e3, -2.5");
  await says("5 numbers");
  await fall().click();
  const { at } = await settled();
  assert.equal(at, "26500");
  await says(/^5 numbers of yours fell\. All of them are in 1 in-memory part\.$/);
  const rested = await inside.playPast(33_000, "4");
  await says(/^5 numbers of yours fell\. All of them are in 1 small part\.$/);
  const there = await addressAt(rested.at);
  assert.match(there, /do=20\.5~own_100_150_151_1000_-2\.5&/);
  await own().getByRole("button", { name: "Look at their bytes" }).click();
  const block = page.locator("[data-picture] [data-zoom]");
  await block.getByText("5 samples").waitFor();
  assert.match(await block.innerText(), /100\s150\s151\s1000\s-2\.5/);
  assert.match(await page.locator('[aria-label="Where the picture looks into"]').innerText(), /own/);
  await page.waitForFunction(() => /zoom=2024_03\.\d+\.\d+/.test(location.hash));
  const deep = await address();
  await inside.open(there);
  assert.equal(await inside.atRest(Number(rested.at)), rested.print);
  await inside.open(deep);
  await block.getByText("5 samples").waitFor();
  assert.deepEqual(inside.complaints(), []);
});

test("they are merged with other rows, and lost as other rows are", async () => {
  await openAt(30, "&do=12.5~own_1_2_3,20.5~own_4_5_6_7,28~merge");
  await says(/^7 numbers of yours fell\. All of them are in 1 small part\.$/);
  await text().fill("8 9");
  await fall().click();
  await page.waitForSelector('[data-play][aria-label="Pause"]');
  await page.getByRole("button", { name: "Crash", exact: true }).click();
  await settled();
  await says(/^9 numbers of yours fell\. 7 of them are in 1 small part\. What is missing is gone: /);
  await page.goBack();
  await inside.rest();
  await page.waitForFunction(() => !location.hash.includes("~crash"));
  assert.match(await address(), /~own_8_9/);
  assert.deepEqual(inside.complaints(), []);
});

test("a curve that is drawn falls, too", async () => {
  await openAt(5.2);
  const curve = own().locator('[aria-label^="The numbers as a curve"]');
  await curve.scrollIntoViewIfNeeded();
  const { x, y, width, height } = await curve.boundingBox();
  await page.mouse.move(x + 2, y + height - 10);
  await page.mouse.down();
  await page.mouse.move(x + width, y + 10, { steps: 9 });
  await page.mouse.up();
  await says("120 numbers");
  await fall().click();
  await settled();
  await says(/^120 numbers of yours fell\. All of them are in 1 /);
  const { at, print } = await inside.rest();
  await inside.open(await addressAt(at));
  assert.equal(await inside.atRest(Number(at)), print);
  assert.deepEqual(inside.complaints(), []);
});

test("what cannot fall is told, and nothing falls of it", async () => {
  await openAt(5.2);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.evaluate(() => navigator.clipboard.writeText("7\n".repeat(10_000)));
  await text().fill("");
  await text().press("Control+v");
  await says("The first 500 of 10,000 numbers: the address has to hold them, and more would make it too long");
  await text().fill("NaN Infinity -Infinity 7");
  await says("1 number; left out: NaN, Infinity, -Infinity");
  await text().fill(`once upon a time ${"a".repeat(100_000)}`);
  await says("No number yet. Write some, such as 21.5 or 1e-3; left out: once, upon, a and 2 more");
  assert.equal(await fall().isDisabled(), true);
  await text().fill("");
  await says("No number yet. Write some, such as 21.5 or 1e-3");
  assert.equal(await fall().isDisabled(), true);
  // What is typed there does nothing to the engine.
  await text().pressSequentially("x1 o2");
  assert.equal(await page.locator("[data-troubles] p").count(), 0);
  assert.doesNotMatch(await address(), /do=/);
  assert.deepEqual(inside.complaints(), []);
});

test("an address with numbers that are none, or with others than before, is followed to what it says", async () => {
  await inside.open("#inside?s=steady&do=3~own_NaN_x_5_1e999,4~own,5~flush_1&at=9");
  await inside.atRest(9000);
  await page.waitForFunction(() => location.hash === "#inside?s=steady&do=3~own_5&at=9");
  const [one, other] = ["#inside?s=steady&do=3~own_5_6&at=9", "#inside?s=steady&do=3~own_5_60000.125&at=9"];
  const prints = [];
  for (const hash of [one, other]) {
    await inside.open(hash);
    prints.push(await inside.atRest(9000));
  }
  assert.notEqual(prints[0], prints[1]);
  await page.evaluate((hash) => (location.hash = hash), one);
  await page.waitForFunction((print) => document.querySelector("[data-at]").dataset.print === print, prints[0]);
  assert.deepEqual(inside.complaints(), []);
});
