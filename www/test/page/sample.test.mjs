// From a sample in the room Explore to the part, the block and the row that hold it, and the bytes that stand for it: of the page's own
// database, whose parts are merged meanwhile, and of a server's snapshot.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "vite";
import { open } from "../../dist/inline.js";
import { openPage } from "../server/chromium.mjs";

const PAGE = fileURLToPath(new URL("../../page/", import.meta.url));
const BUILT = fileURLToPath(new URL("../../../dist/page", import.meta.url));
const PACKAGE = fileURLToPath(new URL("../../dist", import.meta.url));
const SNAPSHOT = fileURLToPath(new URL("../../../tests/golden/upgraded_1.79.5_to_v1.150.0.tar.gz", import.meta.url));
const PATIENCE = { timeout: 30_000 };

describe("in a browser", () => {
  let visit;
  let page;
  /** Where the samples of the filled series end, in milliseconds. */
  let end;
  before(async () => {
    visit = await openPage({ mounts: { page: BUILT, package: PACKAGE } });
    page = visit.page;
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.goto(`${visit.url}/blank.html`);
    end = await page.evaluate(fill);
  });
  after(() => visit?.close());

  /** Fills the page's database before the page opens it, with a series of the machine that it scrapes, so that it goes on from now. */
  async function fill() {
    const { open } = await import("/package/index.js");
    const db = await open({ name: "sandglass", storage: "indexeddb" });
    const end = Math.floor(Date.now() / 5000) * 5000;
    const times = Array.from({ length: 360 }, (_, i) => end - (359 - i) * 5000);
    await db.append(
      { __name__: "node_load1", instance: "node-a:9100", job: "node" },
      times,
      times.map(() => 1),
    );
    for (const code of ["200", "404"])
      await db.append(
        { __name__: "requests_total", code },
        times,
        times.map((_, i) => 100 * Number(code) + 3 * i * i),
      );
    // Its labels are all among another's.
    await db.append({ __name__: "requests_total" }, [end], [-5]);
    await db.close();
    return end;
  }

  const goTo = async (hash) => {
    await page.goto(`${visit.url}/blank.html`);
    await page.goto(`${visit.url}/page/index.html${hash}`);
  };
  const explore = (q, more = {}) =>
    `#explore?${new URLSearchParams({ q, from: new Date(end - 1_500_000).toISOString(), to: new Date(end).toISOString(), ...more })}`;
  const address = () => page.evaluate(() => Object.fromEntries(new URLSearchParams(location.hash.split(/\?(.*)/s)[1])));
  const told = () => page.locator("main [role=status]").first().textContent();
  const tells = (pattern) =>
    page.waitForFunction(
      (source) => new RegExp(source).test(document.querySelector("main [role=status]")?.textContent),
      pattern.source,
      PATIENCE,
    );
  const isShown = () => page.locator('[aria-label="The bytes"]').waitFor(PATIENCE);
  const quiet = () => assert.deepEqual(visit.errors.splice(0), []);

  /** What the engine itself has at the place that the address names. */
  const stored = async () => {
    const { part, block, series } = await address();
    const [, row] = /row ([\d,]+) of/.exec(await told());
    return page.evaluate(
      async ([name, block, row, series]) => {
        const { open } = await import("/package/index.js");
        const db = await open({ name: "sandglass" });
        try {
          const { partitions } = await db.inspect();
          const part = partitions.flatMap(({ parts }) => parts).find((part) => part.name === name);
          const { header, values, timestamps } = await db.inspectBlock(part.id, block);
          return {
            value: values[row],
            time: Number(timestamps.integers[row]),
            isSeries: JSON.stringify(Object.entries(header.labels).sort()) === JSON.stringify(Object.entries(JSON.parse(series)).sort()),
          };
        } finally {
          await db.close();
        }
      },
      [part, Number(block), Number(row.replaceAll(",", "")) - 1, series],
    );
  };

  test("a sample's time in the list of raw samples leads to its row, and the address does, too", async () => {
    await goTo(explore("requests_total{code='404'}", { as: "raw" }));
    const line = page.locator("[aria-label=Samples] tbody tr").nth(4);
    const value = await line.locator("td").last().textContent();
    await line.getByRole("link").focus();
    await page.keyboard.press("Enter");
    await isShown();
    assert.deepEqual(await stored(), { value: Number(value), time: end - 4 * 5000, isSeries: true });
    assert.match(await page.textContent("main"), new RegExp(`^Where a sample lies${value} `));
    assert.equal(await page.locator("[aria-current=page]").textContent(), "Inside");
    const [hash, shown] = [await page.evaluate(() => location.hash), await page.textContent("main")];
    await goTo(hash);
    await isShown();
    assert.equal(await page.evaluate(() => location.hash), hash);
    assert.equal(await page.textContent("main"), shown);
    // All blocks of the part, which is another place in it; the sample's is marked.
    await page.getByRole("button", { name: /^all of the/ }).click();
    await page.locator('[aria-label^="Blocks of part"]').waitFor(PATIENCE);
    assert.equal((await address()).block, undefined);
    await goTo(await page.evaluate(() => location.hash));
    await page.locator('[aria-label^="Blocks of part"] [aria-current=location]').click();
    await isShown();
    assert.equal(await page.evaluate(() => location.hash), hash);
    // Another block of it, by hand, and back.
    await page.evaluate(() => (location.hash = location.hash.replace(/block=\d+/, "block=0")));
    await page.getByRole("button", { name: "Back to its block" }).click();
    await page.getByRole("button", { name: "Back to its block" }).waitFor({ state: "detached" });
    assert.equal(await page.evaluate(() => location.hash), hash);
    await page.getByRole("link", { name: "The samples around it, in Explore" }).click();
    await page.locator("[aria-label=Samples] td").first().waitFor(PATIENCE);
    quiet();
  });

  test("a series is not taken for one that has more labels", async () => {
    await goTo(explore("requests_total", { as: "raw" }));
    await page.getByText("603 samples of 3 series, the newest first").waitFor(PATIENCE);
    await page.getByRole("row", { name: "-5" }).getByRole("link").click();
    await isShown();
    assert.deepEqual(await stored(), { value: -5, time: end, isSeries: true });
    quiet();
  });

  test("a click in the chart chooses the sample, or the one behind the value of a selector", async () => {
    for (const shape of [{ as: "raw" }, { step: "7s" }]) {
      await goTo(explore("requests_total{code='200'}", shape));
      const plot = page.locator("[data-plot] .u-over");
      await plot.waitFor(PATIENCE);
      const { x, y, width, height } = await plot.boundingBox();
      await page.mouse.move(x + width / 2, y + height / 2);
      await page.mouse.click(x + width / 2, y + height / 2);
      await page.getByRole("link", { name: "Open in Inside" }).click();
      await isShown();
      const { value, time, isSeries } = await stored();
      const i = 359 - (end - time) / 5000;
      assert.ok(Number.isInteger(i) && isSeries, `a sample that was written, and not an instant of the query: ${time}`);
      assert.equal(value, 20_000 + 3 * i * i);
    }
    quiet();
  });

  test("a click in the chart of the room Live leads there, too, and a rate lies nowhere", async () => {
    await goTo("#live");
    const selector = page.getByRole("combobox").first();
    await selector.fill("requests_total{code='200'}");
    await selector.press("Enter");
    await page.waitForFunction(() => /^1 series/.test(document.querySelector(".reading").textContent), null, PATIENCE);
    const plot = page.locator("[aria-roledescription=chart] .u-over").first();
    const { x, y, width, height } = await plot.boundingBox();
    const click = () => page.mouse.click(x + width / 2, y + height / 2);
    await page.mouse.move(x + width / 2, y + height / 2);
    await click();
    await page.getByRole("link", { name: "Open in Inside" }).click();
    await isShown();
    const { value, time, isSeries } = await stored();
    const i = 359 - (end - time) / 5000;
    assert.ok(Number.isInteger(i) && isSeries, `a sample that was written: ${time}`);
    assert.equal(value, 20_000 + 3 * i * i);
    await page.goBack();
    await page.getByRole("button", { name: "Per second" }).first().click();
    await page.waitForFunction(() => /increase per second/.test(document.querySelector(".reading").textContent));
    await page.mouse.move(x + width / 3, y + height / 2);
    await click();
    await page.getByText("The query computed this value. Samples lie behind what a selector alone shows.").waitFor(PATIENCE);
    await page.getByRole("button", { name: "Let go of the value" }).click();
    assert.equal(await page.getByRole("button", { name: "Let go of the value" }).count(), 0);
    quiet();
  });

  test("keys choose a line's value; what a query has computed lies nowhere, and that is said", async () => {
    await goTo(explore("requests_total{code!=''}"));
    await page.locator("[data-plot] canvas").waitFor(PATIENCE);
    await page.focus("[data-plot]");
    // The crosshair begins in the middle, below both lines.
    const link = page.getByRole("link", { name: "Open in Inside" });
    for (const [keys, code] of [
      [["ArrowLeft", "ArrowLeft", "ArrowUp", "ArrowUp", "Enter"], /404/],
      [["ArrowDown", "Enter"], /200/],
    ]) {
      for (const key of keys) await page.keyboard.press(key);
      await page.waitForFunction((code) => document.querySelector("a[href*=sample]")?.href.includes(code), code.source, PATIENCE);
    }
    assert.equal(await link.count(), 1);
    await goTo(explore("rate(requests_total{code='404'}[1m])"));
    await page.locator("[data-plot] canvas").waitFor(PATIENCE);
    await page.focus("[data-plot]");
    for (const key of ["ArrowLeft", "ArrowLeft", "Enter"]) await page.keyboard.press(key);
    await page.getByText(/The query computed this value/).waitFor(PATIENCE);
    assert.equal(await link.count(), 0);
    quiet();
  });

  test("a part that is merged away is told of, and where the sample is then", async () => {
    await goTo("#explore?q=node_load1&as=raw&from=now-1m&to=now&refresh=1s");
    // The page scrapes each second: the newest sample is of the last one, once it has begun.
    await page.waitForFunction(
      (end) => {
        const newest = document.querySelector("[aria-label=Samples] td a");
        return newest && Date.parse(new URLSearchParams(newest.href.split("?")[1]).get("at")) > end && (newest.click(), true);
      },
      end,
      PATIENCE,
    );
    await isShown();
    await tells(/in-memory part/);
    assert.match(await told(), /the log keeps its rows/);
    const inMemory = await page.evaluate(() => location.hash);
    assert.equal((await address()).part, "memory");
    const merge = () =>
      page.evaluate(async () => {
        const { open } = await import("/package/index.js");
        const db = await open({ name: "sandglass" });
        await db.forceMerge();
        await db.close();
      });
    await merge();
    await tells(/this part was written to disk or merged\. Shown is what it was/);
    await page.getByRole("button", { name: "Show where it is now" }).click();
    await tells(/small part/);
    const { time } = await stored();
    const onDisk = await page.evaluate(() => location.hash);
    assert.equal(new Date(time).toISOString().replace(".000Z", "Z"), (await address()).at);
    // The same two addresses again, when both parts are gone.
    await page.waitForTimeout(1500);
    await merge();
    for (const [hash, words] of [
      [inMemory, /names an in-memory part\. The sample is not there any more/],
      [onDisk, /names the part \d+_.*\. The sample is not there any more/],
    ]) {
      await goTo(hash);
      await isShown();
      await tells(words);
      assert.equal((await stored()).time, time);
    }
    quiet();
  });

  test("what is not there, or is no sample, is said", async () => {
    const series = encodeURIComponent(JSON.stringify({ __name__: "requests_total", code: "404" }));
    await goTo(`#inside/sample?series=${series}&at=2001-01-01T00:00:00Z`);
    await tells(/No part of this database holds a sample of this series at this time/);
    for (const hash of ["#inside/sample", "#inside/sample?series=nonsense&at=now", `#inside/sample?series=${series}`]) {
      await goTo(hash);
      await page.getByRole("heading", { name: "This address names no sample" }).waitFor(PATIENCE);
    }
    // And back to the room's own engine.
    await page.getByRole("link", { name: "Inside", exact: true }).click();
    await page.locator("[data-transport]").waitFor(PATIENCE);
    quiet();
  });

  test("the same of a snapshot: the example by its address alone, a file when it is there again", async () => {
    await goTo("#explore?of=example&q=temperature_celsius&as=raw");
    await page.locator("[aria-label=Samples] td a").first().click(PATIENCE);
    await isShown();
    const [hash, shown] = [await page.evaluate(() => location.hash), await page.textContent("main")];
    assert.match(shown, /Of example\.tar\.gz/);
    await goTo(hash);
    await isShown();
    assert.equal(await page.textContent("main"), shown);
    await goTo(hash.replace("of=example", "of=snapshot"));
    await page.getByRole("heading", { name: "The database of this sample is not open" }).waitFor(PATIENCE);
    await page.locator("input[type=file]").setInputFiles(SNAPSHOT);
    await isShown();
    assert.equal(await told(), /It is row.*?B\. /.exec(shown)[0]);
    await page.getByRole("link", { name: "All its months and parts" }).click();
    await page.locator("#opened-title").waitFor(PATIENCE);
    quiet();
  });
});

describe("without a browser", () => {
  let folder;
  let sample;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sandglass-sample-"));
    const entry = join(folder, "entry.ts");
    await writeFile(
      entry,
      ["find", "row", "address"].map((name) => `export * from ${JSON.stringify(join(PAGE, "sample", name))};`).join("\n"),
    );
    await build({
      configFile: false,
      root: folder,
      logLevel: "error",
      build: {
        lib: { entry, formats: ["es"], fileName: () => "sample.mjs" },
        outDir: join(folder, "built"),
        target: "esnext",
        minify: false,
      },
    });
    sample = await import(pathToFileURL(join(folder, "built", "sample.mjs")));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const START = Date.UTC(2026, 10, 10);
  const opened = () => open({ storage: "memory", clock: "manual", startTime: START, retention: "100y" });

  test("a sample is followed from the shard into memory, to disk, and through a merge", async () => {
    const db = await opened();
    const labels = { __name__: "up", job: "a" };
    const find = () => sample.findSample(db, { labels, time: START }, new AbortController().signal);
    await db.append({ __name__: "up" }, [START], [1]);
    await db.append(labels, [START - 1, START], [2, 3]);
    let { lying, waiting } = await find();
    assert.deepEqual([lying.length, waiting], [0, 3], "rows in shards");
    const classes = [];
    const again = async () => {
      await db.append(labels, [START], [3]);
      await db.flush();
    };
    for (const wait of [() => db.tick(1000), () => db.tick(12_000), again, () => db.forceMerge()]) {
      await wait();
      ({ lying, waiting } = await find());
      classes.push(
        lying
          .map(({ part }) => part.class)
          .sort()
          .reverse()
          .join(),
      );
      for (const { block, row } of lying) {
        assert.deepEqual(block.header.labels, labels);
        assert.deepEqual([Number(block.timestamps.integers[row]), block.values[row]], [START, 3]);
      }
    }
    assert.deepEqual(classes, ["inmemory", "small", "small,inmemory", "small"]);
    await db.close();
  });

  test("the bytes that are told of a row are those that are stored", async () => {
    const db = await opened();
    const times = Array.from({ length: 500 }, (_, i) => START - 500_000 + i * 1000 + (i > 200 ? i % 7 : 0));
    const kinds = {
      constant: () => 5,
      steps: (i) => 10 * i,
      gauge: (i) => Math.round(Math.sin(i / 9) * 1e6) / 100,
      counter: (i) => 1000 + 40 * i + ((i * i) % 5),
      noise: (i) => ((i * 2_654_435_761) % 4_294_967_296) / 4_294_967_296,
    };
    for (const [kind, valueAt] of Object.entries(kinds))
      for (const count of [1, 2, 3, 20, 500])
        await db.append(
          { __name__: kind, count: String(count) },
          times.slice(0, count),
          Array.from({ length: count }, (_, i) => valueAt(i)),
        );
    await db.flush();
    await db.forceMerge();
    const [part] = (await db.inspect()).partitions[0].parts;
    const seen = new Set();
    for (let at = 0; at < part.blocks; at++) {
      const block = await db.inspectBlock(part.id, at);
      for (const column of [block.timestamps, block.mantissas]) {
        seen.add(column.marshalType);
        const { integers, marshalType } = column;
        const rows = Array.from(integers, (_, row) => sample.storedRow(column, row));
        assert.equal(rows[0].bytes.length, 0, "the header has the first");
        // Read again, the bytes make the column.
        let [value, step] = [integers[0], 0n];
        for (let row = 1; row < integers.length; row++) {
          const delta = marshalType === "const" ? 0n : zigZag(rows[row].bytes);
          step = marshalType.endsWith("Delta2") ? step + delta : delta;
          value += step;
          assert.equal(value, integers[row], `${block.header.labels.__name__} ${marshalType} ${row}`);
          if (column.zstd !== "kept" && rows[row].bytes.length > 0) {
            const begin = Number(/byte ([\d,]+) of/.exec(rows[row].where)[1].replaceAll(",", "")) - column.offset;
            assert.deepEqual(column.bytes.slice(begin, begin + rows[row].bytes.length), rows[row].bytes);
          }
        }
      }
    }
    for (const type of ["const", "deltaConst", "nearestDelta", "nearestDelta2", "zstdNearestDelta", "zstdNearestDelta2"])
      assert.ok(seen.has(type), type);
    await db.close();
  });

  const zigZag = (bytes) => {
    const number = bytes.reduceRight((sum, byte) => (sum << 7n) | BigInt(byte & 127), 0n);
    return (number >> 1n) ^ -(number & 1n);
  };

  test("an address says what it is of, and one of anything is that or nothing", () => {
    const { sampleOf, hashOfSample } = sample;
    const places = [
      { of: "own", name: "", labels: { __name__: "up" }, time: START, part: "", block: undefined },
      { of: "kept", name: "a b&c", labels: { __name__: 'a"b', "x.y": "&=#?\u202e\n" }, time: 1, part: "12_3_x", block: 0 },
      { of: "example", name: "", labels: { a: "" }, time: -5, part: "memory", block: 812 },
    ];
    for (const place of places) assert.deepEqual(sampleOf(hashOfSample(place)), place);
    for (const text of ["", "[]", "{}", "null", '{"a":1}', '"a"', "{"])
      assert.equal(sampleOf(`#inside/sample?${new URLSearchParams({ series: text, at: "2026-01-01" })}`), undefined, text);
    assert.equal(sampleOf(hashOfSample(places[0]).replace(/at=[^&]*/, "at=x")), undefined);
    assert.equal(sampleOf(`${hashOfSample(places[0])}&block=-1&of=other`).block, undefined);
  });
});
