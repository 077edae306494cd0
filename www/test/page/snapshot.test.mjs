// Snapshots of real servers dropped into the page: all layouts, and broken ones.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { packTar, unpackTar } from "modern-tar";
import { openPage } from "../server/chromium.mjs";

const GOLDEN = fileURLToPath(new URL("../../../tests/golden/", import.meta.url));

let visit;
let page;
before(async () => {
  visit = await openPage({ mounts: { page: fileURLToPath(new URL("../../../dist/page", import.meta.url)) } });
  page = visit.page;
  await page.goto(`${visit.url}/page/index.html#open`);
  await page.waitForSelector("[aria-labelledby=bring-title]");
});
after(() => visit?.close());

const choose = (name, buffer) =>
  page.setInputFiles("[aria-labelledby=bring-title] input >> nth=0", { name, mimeType: "application/x-tar", buffer });
/** Closes what is open, and opens another. */
async function open(name, buffer) {
  const close = page.getByRole("button", { name: "Close it" });
  if (await close.count()) await close.click();
  await page.waitForSelector("[aria-labelledby=bring-title]");
  await choose(name, buffer);
  await page.waitForFunction((name) => document.querySelector("#opened-title")?.textContent === name, name, { timeout: 20_000 });
}
const figure = (name) =>
  page.evaluate(
    (name) =>
      [...document.querySelectorAll('[aria-label="What is in it"] > div')]
        .find((one) => one.querySelector("dt").textContent === name)
        .querySelector("dd").textContent,
    name,
  );
async function check() {
  await page.getByRole("button", { name: "Read every block" }).click();
  await page.waitForFunction(
    () =>
      /(was|were) read/.test(document.querySelector("[aria-labelledby=health-title] .hint").textContent) &&
      document.querySelector("[aria-labelledby=health-title] button").disabled,
  );
  await page.waitForFunction(() => /Every block/.test(document.querySelector("[aria-labelledby=health-title] .hint").textContent), null, {
    timeout: 60_000,
  });
  return page.textContent("[aria-labelledby=health-title]");
}

for (const [name, layout, samples, series] of [
  ["tiny", "up to 1.89", "12", "3"],
  ["deleted", "up to 1.89", "5,660", "48"],
  ["tiny_v1.150.0", "1.133 and later", "12", "3"],
  ["upgraded_1.79.5_to_v1.150.0", "1.133 and later", "25,084", "104"],
]) {
  test(`opens ${name}, whole`, async () => {
    await open(`${name}.tar.gz`, await readFile(`${GOLDEN}${name}.tar.gz`));
    assert.ok((await page.textContent("[aria-labelledby=opened-title]")).includes(layout));
    assert.ok((await page.textContent("[aria-labelledby=opened-title]")).includes("unpacked into this tab’s memory"));
    assert.deepEqual([await figure("samples"), await figure("series")], [samples, series]);
    assert.match(await check(), /Every block of every part was read and decoded/);
    assert.deepEqual(visit.errors, []);
  });
}

test("searches, draws, hands out, and goes down to the bytes", async () => {
  await open("tiny.tar.gz", await readFile(`${GOLDEN}tiny.tar.gz`));
  await page.waitForFunction(() => /samples read/.test(document.querySelector(".reading").textContent));
  const input = page.getByRole("combobox", { name: "Selector" });
  await input.fill('{__name__!=""}');
  await input.press("Enter");
  await page.waitForFunction(() =>
    /^3 series match/.test(document.querySelector("[aria-labelledby=look-title] details summary").textContent),
  );
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "JSON lines" }).click()]);
  assert.equal(download.suggestedFilename(), "tiny.jsonl");
  const lines = (await readFile(await download.path(), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(
    lines.reduce((sum, { timestamps }) => sum + timestamps.length, 0),
    12,
  );
  await page.locator("[aria-labelledby=parts-title] li button").first().click();
  await page.locator('[aria-label^="Blocks of part"] button').first().click();
  await page.waitForSelector('[aria-label="The bytes"]');
  assert.deepEqual(visit.errors, []);
});

test("a value of the chart leads to the part, the block and the row that hold it, and a rate lies nowhere", async () => {
  await open("tiny.tar.gz", await readFile(`${GOLDEN}tiny.tar.gz`));
  await page.waitForFunction(() => /samples? read/.test(document.querySelector(".reading").textContent));
  const chart = page.getByRole("application", { name: /Enter chooses a value/ });
  const link = page.getByRole("link", { name: "Open in Inside" });
  const look = async (shown) => {
    await link.waitFor({ timeout: 20_000 });
    const to = new URLSearchParams((await link.getAttribute("href")).split("?")[1]);
    assert.deepEqual([to.get("of"), Date.parse(to.get("at"))], ["snapshot", 1_710_000_090_000]);
    await link.click();
    await page.getByText(/^It is row 4 of 4 of /).waitFor({ timeout: 20_000 });
    assert.match(await page.textContent("main"), shown);
    await page.getByRole("link", { name: "All its months and parts" }).click();
    await page.waitForFunction(() => /samples? read/.test(document.querySelector(".reading")?.textContent));
  };
  // The pointer, and the keys from the newest sample on.
  await chart.scrollIntoViewIfNeeded();
  const box = await chart.locator(".u-over").boundingBox();
  await page.mouse.move(box.x + box.width - 4, box.y + box.height / 2);
  await page.mouse.click(box.x + box.width - 4, box.y + box.height / 2);
  await look(/^Where a sample lies9007199254740991 requests_total\{code="200"/);
  await chart.focus();
  for (const key of ["ArrowLeft", "ArrowUp", "ArrowDown", "Enter"]) await page.keyboard.press(key);
  await look(/^Where a sample lies\d+ requests_total\{/);
  await page.getByRole("button", { name: "Per second" }).click();
  await page.waitForFunction(() => /increase per second/.test(document.querySelector(".reading").textContent));
  await chart.focus();
  for (const key of ["ArrowLeft", "Enter"]) await page.keyboard.press(key);
  await page.getByText(/The query computed this value/).waitFor({ timeout: 20_000 });
  assert.equal(await link.count(), 0);
  assert.deepEqual(visit.errors, []);
});

test("tells what is heavy, and leads to series by their labels", async () => {
  const close = page.getByRole("button", { name: "Close it" });
  if (await close.count()) await close.click();
  await page.getByRole("link", { name: "Open an example" }).click();
  await page.getByRole("heading", { name: "What is heavy" }).waitFor({ timeout: 20_000 });
  await page.waitForFunction(() =>
    /Weighed by the headers of/.test(document.querySelector("[aria-labelledby=heavy-title] .hint").textContent),
  );
  const rows = (nth) =>
    page.evaluate(
      (nth) =>
        [...document.querySelectorAll("[aria-labelledby=heavy-title] table")[nth].querySelectorAll("tbody tr")].map((row) =>
          [...row.children].map((cell) => cell.textContent),
        ),
      nth,
    );
  const metrics = await rows(0);
  // The heaviest twelve, and a line that says how many others there are.
  assert.equal(metrics.length, 13);
  assert.match(metrics.pop()[0], /^and \d+ more$/);
  const labels = (await rows(1)).filter((cells) => cells.length > 1);
  const counts = labels.map(([, values]) => Number(values.replaceAll(",", "")));
  assert.deepEqual(
    counts,
    counts.toSorted((a, b) => b - a),
  );
  const series = () => page.textContent("[aria-labelledby=browser-title] .hint");
  assert.match(await series(), /^104 series; by the metric’s name: \d+ values$/);
  // The heaviest metric has as many series as its row says.
  await page.locator("[aria-labelledby=heavy-title] tbody button").first().click();
  await page.waitForFunction(
    (count) => document.querySelector("[aria-labelledby=browser-title] .hint").textContent.startsWith(`${count} series of 104`),
    metrics[0][1],
  );
  await page.waitForFunction(
    (count) => document.querySelector("[aria-labelledby=look-title] details summary")?.textContent.startsWith(`${count} series`),
    metrics[0][1],
  );
  await page.getByRole("list", { name: "Series" }).getByRole("button").first().click();
  await page.waitForFunction(() =>
    /^1 series matches/.test(document.querySelector("[aria-labelledby=look-title] details summary").textContent),
  );
  await page.locator("[aria-labelledby=browser-title] .chip").click();
  assert.match(await series(), /^104 series;/);
  assert.deepEqual(visit.errors, []);
});

test("keeps a snapshot as a database of its own, and opens that again after a reload", async () => {
  await open("deleted.tar.gz", await readFile(`${GOLDEN}deleted.tar.gz`));
  const [samples, series] = [await figure("samples"), await figure("series")];
  // The page's own database stays what it is.
  await page.getByRole("textbox", { name: "Name" }).fill("sandglass");
  await page.getByRole("button", { name: "Keep it" }).click();
  const refused = page.locator("[aria-labelledby=keep-title] [role=alert]");
  await refused.filter({ hasText: "This browser has a database “sandglass” already. Choose another name." }).waitFor();
  await page.getByRole("textbox", { name: "Name" }).fill("kept for later");
  await page.getByRole("button", { name: "Keep it" }).click();
  await page
    .getByText(new RegExp(`Kept as “kept for later”: ${samples} samples in (IndexedDB|the origin private file system)\\.`))
    .waitFor();
  await page.goto(`${visit.url}/blank.html`);
  await page.goto(`${visit.url}/page/index.html#open`);
  await page.locator("[aria-labelledby=kept-title]").getByRole("link", { name: "kept for later", exact: true }).click();
  await page.waitForFunction(() => document.querySelector("#opened-title")?.textContent === "kept for later");
  assert.equal(await figure("series"), series);
  assert.equal(await figure("samples"), samples);
  assert.match(await page.textContent("[aria-labelledby=opened-title]"), /Kept in this browser, .* The page only reads it\./);
  assert.equal(await page.evaluate(() => location.hash), "#open?kept=kept%20for%20later");
  // What was asked of it is in an address that opens it again.
  await page.getByRole("link", { name: "Explore it" }).click();
  await page.locator("[data-plot]").waitFor({ timeout: 20_000 });
  assert.match(await page.evaluate(() => location.hash), /^#explore\?of=kept&name=kept\+for\+later&q=/);
  await page.reload();
  await page.locator("[data-plot]").waitFor({ timeout: 20_000 });
  // An address of a file does not hold it: what can be opened is offered.
  await page.goto(`${visit.url}/blank.html`);
  await page.goto(`${visit.url}/page/index.html#explore?of=snapshot&q=up`);
  await page.getByRole("link", { name: "The example" }).waitFor();
  await page.getByRole("link", { name: "kept for later", exact: true }).click();
  await page.locator("[data-query]").waitFor();
  assert.match(await page.evaluate(() => location.hash), /^#explore\?of=kept&name=kept\+for\+later&q=up/);
  await page.getByRole("link", { name: "Its months, parts and bytes" }).click();
  await page.getByRole("button", { name: "Close it" }).click();
  await page.getByRole("button", { name: "Remove kept for later", exact: true }).click();
  await page.getByRole("button", { name: "Remove kept for later for good?" }).click();
  await page.locator("[aria-labelledby=kept-title]").getByText("None yet.").waitFor();
  // What an address names is no reason to make a database.
  await page.goto(`${visit.url}/page/index.html#open?kept=never%20kept`);
  await page.getByRole("alert").filter({ hasText: "keeps no snapshot of this name" }).waitFor();
  assert.ok(!(await page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name).join())).includes("never kept"));
  await page.goto(`${visit.url}/page/index.html#open`);
  await page.getByRole("alert").waitFor({ state: "detached" });
  assert.deepEqual(visit.errors, []);
});

test("has a door and addresses: a reload and the way back lead to what was open, as far as that is in the address", async () => {
  await page.goto(`${visit.url}/blank.html`);
  await page.goto(`${visit.url}/page/index.html#chapters`);
  const doors = page.getByRole("navigation", { name: "Rooms" });
  await doors.getByRole("link", { name: "Open", exact: true }).click();
  await page.getByRole("link", { name: "Open an example" }).click();
  const title = () => page.waitForFunction(() => document.querySelector("#opened-title")?.textContent === "example.tar.gz");
  await title();
  assert.equal(await doors.locator("[aria-current=page]").textContent(), "Open");
  await page.reload();
  await title();
  await page.getByRole("link", { name: "Explore it" }).click();
  await page.getByRole("link", { name: "Its months, parts and bytes" }).waitFor();
  assert.match(await page.evaluate(() => location.hash), /^#explore\?of=example&q=/);
  await page.reload();
  await page.locator("[data-plot]").waitFor({ timeout: 20_000 });
  await page.getByRole("link", { name: "Its months, parts and bytes" }).click();
  await title();
  assert.equal(await page.evaluate(() => location.hash), "#open?example");
  await doors.getByRole("link", { name: "Inside", exact: true }).click();
  await page.waitForSelector("[data-picture]");
  assert.equal(await page.locator("#opened-title").count(), 0);
  await page.goBack();
  await title();
  // What was dropped in any room is shown here, and a way back to where one was.
  await doors.getByRole("link", { name: "Chapters", exact: true }).click();
  await page.waitForSelector("[data-picture]");
  const dropped = await page.evaluateHandle(
    ([name, bytes]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(atob(bytes), (char) => char.charCodeAt(0))], name));
      return transfer;
    },
    ["tiny.tar.gz", (await readFile(`${GOLDEN}tiny.tar.gz`)).toString("base64")],
  );
  await page.dispatchEvent("main", "drop", { dataTransfer: dropped });
  await page.waitForFunction(() => document.querySelector("#opened-title")?.textContent === "tiny.tar.gz");
  assert.equal(await page.evaluate(() => location.hash), "#open");
  await page.goBack();
  await page.waitForSelector("[data-picture]");
  await page.goForward();
  await page.waitForSelector("[aria-labelledby=bring-title]");
  assert.deepEqual(visit.errors, []);
});

test("tells what a snapshot that was cut off lacks before what it has", async () => {
  const whole = gunzipSync(await readFile(`${GOLDEN}upgraded_1.79.5_to_v1.150.0.tar.gz`));
  await open("cut.tar", whole.subarray(0, Math.floor(whole.length * 0.6)));
  assert.match(await page.textContent("[aria-labelledby=opened-title]"), /where it lies/);
  const told = await page.locator("[aria-labelledby=health-title] ul .note").allTextContents();
  assert.ok(
    told.some((words) => /ends without the mark at its end, behind \d+ entries: it was cut off/.test(words)),
    told.join("\n"),
  );
  assert.equal(await page.locator("main .card").first().getAttribute("aria-labelledby"), "health-title");
  const named = await page.locator("[aria-labelledby=health-title] ul code").count();
  assert.equal(
    await page.textContent("#health-title"),
    named === 0 ? "It is not whole" : `${named} part${named === 1 ? "" : "s"} cannot be read`,
  );
});

test("a second snapshot that is dropped into the first one's room shows its own chart", async () => {
  const [first, second] = ["tiny.tar.gz", "upgraded_1.79.5_to_v1.150.0.tar.gz"];
  await open(first, await readFile(`${GOLDEN}${first}`));
  const legend = () => page.locator("figcaption [data-name]").allTextContents();
  const selector = () => page.getByRole("combobox", { name: "Selector" }).inputValue();
  await page.waitForFunction(() => document.querySelector("figcaption [data-name]") !== null);
  const before = [await legend(), await selector()];
  const dropped = await page.evaluateHandle(
    ([name, bytes]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.fromBase64?.(bytes) ?? Uint8Array.from(atob(bytes), (char) => char.charCodeAt(0))], name));
      return transfer;
    },
    [second, (await readFile(`${GOLDEN}${second}`)).toString("base64")],
  );
  await page.dispatchEvent("main", "drop", { dataTransfer: dropped });
  await page.waitForFunction((name) => document.querySelector("#opened-title")?.textContent === name, second, { timeout: 20_000 });
  await page.waitForFunction(
    (names) =>
      document.querySelector("figcaption [data-name]") &&
      [...document.querySelectorAll("figcaption [data-name]")].map((name) => name.textContent).join() !== names,
    before[0].join(),
  );
  assert.notEqual(await selector(), before[1]);
  await page.waitForFunction(() => /samples read/.test(document.querySelector(".reading").textContent));
  assert.deepEqual(visit.errors, []);
});

test("says that no checksum tells a value that was changed in its place", async () => {
  const entries = (await unpackTar(gunzipSync(await readFile(`${GOLDEN}deleted.tar.gz`)))).filter(({ header }) => header.type === "file");
  const values = entries
    .filter(({ header }) => /data\/small\/[^/]+\/[^/]+\/values\.bin$/.test(header.name))
    .find(({ data }) => data.length > 64);
  // The first block is plain varints, whose highest bits, which tell where each ends, stay as they were.
  for (let i = 0; i < 64; i++) values.data[i] ^= 2;
  const tar = await packTar(
    entries.map(({ header: { name }, data }) => ({ header: { name, size: data.length, type: "file" }, body: data })),
  );
  await open("changed.tar", Buffer.from(tar));
  const told = await check();
  assert.match(told, /headers, sizes and counts agree/);
  assert.match(told, /no checksum/);
  assert.doesNotMatch(told, /whole/);
});

test("names the parts that are bad, and shows the rest", async () => {
  const entries = (await unpackTar(gunzipSync(await readFile(`${GOLDEN}upgraded_1.79.5_to_v1.150.0.tar.gz`)))).filter(
    ({ header }) => header.type === "file",
  );
  const of = (pattern) => entries.find(({ header }) => pattern.test(header.name));
  // One can't be opened, of the other a block can't be decoded.
  const metaindex = of(/data\/small\/2024_02\/[^/]+_18EA[^/]+\/metaindex\.bin/);
  metaindex.data = metaindex.data.slice(1);
  of(/data\/small\/2024_03\/[^/]+_18EA[^/]+\/values\.bin/).data.fill(0x11);
  const tar = await packTar(
    entries.map(({ header: { name }, data }) => ({ header: { name, size: data.length, type: "file" }, body: data })),
  );
  await open("broken.tar", Buffer.from(tar));
  const bad = () => page.locator("[aria-labelledby=health-title] ul code").allTextContents();
  const [unopened, undecoded] = [/^data\/small\/2024_02\/8974_85_/, /^data\/small\/2024_03\/3440_76_/];
  assert.equal((await bad()).length, 1);
  assert.match((await bad())[0], unopened);
  assert.equal(await figure("samples"), "16,110");
  await check();
  assert.equal((await bad()).length, 2);
  assert.match((await bad())[1], undecoded);
  assert.equal(await page.locator("[aria-labelledby=parts-title] li button").count(), 3);
});

test("samples as text are opened like a snapshot, told of what is wrong in them, and kept", async () => {
  await open(
    "weather.csv",
    Buffer.from("time,place,frost\n2026-01-15T12:00:00Z,Oslo,4.5\n2026-01-15T12:00:10Z,Oslo,warm\n2026-01-15T12:00:20Z,Turku,7\n"),
  );
  // 107 bytes are what was given, whatever its database takes.
  const read =
    "Read as a table (CSV) in which “time” is the time, “place” is a label, and “frost” is a metric, 107 B. Its samples were read into";
  assert.ok((await page.textContent("[aria-labelledby=opened-title]")).includes(read));
  assert.deepEqual([await figure("samples"), await figure("series")], ["2", "2"]);
  assert.match(await page.textContent("#refused-title"), /^1 line or sample could not be taken/);
  assert.match(await page.textContent("[aria-labelledby=refused-title] ul"), /line 3/);
  // Whether blocks can be read is another matter.
  assert.equal(await page.locator("[aria-labelledby=refused-title] button").count(), 0);
  assert.equal(await page.textContent("#health-title"), "Can it be read?");
  await page.getByRole("button", { name: "Close it" }).click();

  await page.getByRole("button", { name: "Use the example" }).click();
  await page.getByRole("button", { name: "Open them" }).click();
  await page.waitForFunction(() => /^temperature, pasted \d\d\.\d\d$/.test(document.querySelector("#opened-title")?.textContent));
  const pasted = await page.textContent("#opened-title");
  assert.deepEqual([await figure("samples"), await figure("series")], ["2", "1"]);
  await page.waitForFunction(() => /samples read/.test(document.querySelector(".reading").textContent));
  await page.getByRole("link", { name: "Explore it" }).click();
  await page.getByText("temperature", { exact: false }).first().waitFor();
  await page.goBack();
  await page.getByRole("button", { name: "Keep it" }).click();
  await page
    .getByRole("status")
    .filter({ hasText: `Kept as “${pasted}”: 2 samples` })
    .waitFor();
  await page.getByRole("button", { name: "Close it" }).click();
  await page.getByRole("button", { name: `Remove ${pasted}`, exact: true }).click();
  await page.getByRole("button", { name: `Remove ${pasted} for good?` }).click();
  await page.getByRole("link", { name: pasted, exact: true }).waitFor({ state: "detached" });
  await choose("again.tar", await readFile(`${GOLDEN}tiny.tar.gz`));
  await page.waitForFunction(() => document.querySelector("#opened-title")?.textContent === "again.tar");
  assert.deepEqual(visit.errors, []);
});

test("says of what is no snapshot why it cannot be opened", async () => {
  await page.getByRole("button", { name: "Close it" }).click();
  // A text is told of as a text, and what is none as what a snapshot comes in.
  await choose("notes.txt", Buffer.from("Dear diary,\n\ntoday nothing was measured.\n"));
  await page.getByRole("alert").filter({ hasText: "in none of the formats that the page reads" }).waitFor();
  assert.match(await page.getByRole("alert").textContent(), /Its first line is “Dear diary,”/);
  assert.doesNotMatch(await page.getByRole("alert").textContent(), /\btar\b/);
  await choose("photo.png", Buffer.from("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "latin1"));
  await page.getByRole("alert").filter({ hasText: "“photo.png” cannot be opened" }).waitFor();
  await choose("x.tar", Buffer.alloc(5000, 7));
  await page.getByRole("alert").filter({ hasText: "It is no tar, no text, and nothing else" }).waitFor();
  await choose("other.tar", Buffer.from(await packTar([{ header: { name: "notes/a.txt", size: 1, type: "file" }, body: "a" }])));
  await page.getByRole("alert").filter({ hasText: "no data/small or data/big in it, but “notes/a.txt”" }).waitFor();
  await page.getByRole("button", { name: "All right" }).click();
  assert.equal(await page.getByRole("alert").count(), 0);
  assert.deepEqual(visit.errors, []);
});
