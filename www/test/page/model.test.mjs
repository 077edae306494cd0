// What the page computes without a browser: the model of the engine, the chart's numbers, the layout, the replay.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "vite";
import { open } from "../../dist/inline.js";

const PAGE = fileURLToPath(new URL("../../page/", import.meta.url));
const MODULES = [
  "model/engine",
  "model/house",
  "model/lingering",
  "model/parts",
  "model/totals",
  "model/chart",
  "model/selector",
  "model/words",
  "model/format",
  "drawing/layout",
  "replay/exposition",
  "replay/machine",
  "replay/history",
  "chart_feed",
  "model/numbers",
  "model/own",
  "model/estimate",
  "model/lineage",
  "inside/chapters",
  "inside/embed",
  "inside/explain",
  "inside/questions",
  "replay/situations",
  "snapshot/cardinality",
  "snapshot/samples",
  "explore/language",
];

let folder;
let page;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "sandglass-model-"));
  const entry = join(folder, "entry.ts");
  const named = `export * as glass from ${JSON.stringify(join(PAGE, "drawing/glass"))};export * as walk from ${JSON.stringify(join(PAGE, "model/walk"))};export * as lived from ${JSON.stringify(join(PAGE, "model/history"))};`;
  await writeFile(entry, [...MODULES.map((module) => `export * from ${JSON.stringify(join(PAGE, module))};`), named].join("\n"));
  await build({
    configFile: false,
    root: folder,
    logLevel: "error",
    build: { lib: { entry, formats: ["es"], fileName: () => "model.mjs" }, outDir: join(folder, "built"), target: "esnext", minify: false },
  });
  page = await import(pathToFileURL(join(folder, "built", "model.mjs")));
});

after(() => rm(folder, { recursive: true, force: true }));

const column = (...pairs) => ({
  timestamps: Float64Array.from(pairs, ([time]) => time),
  values: Float64Array.from(pairs, ([, value]) => value),
});

// ---- the model of the engine ----

const created = (part, more = {}) => ({
  type: "partCreated",
  sequence: part,
  time: 1000 + part,
  part,
  partition: "2026_11",
  class: "inmemory",
  name: "",
  rows: 100,
  blocks: 1,
  bytes: 90,
  minTimestamp: 0,
  maxTimestamp: 9,
  merge: null,
  ...more,
});

const started = (merge, sources, more = {}) => ({
  type: "mergeStarted",
  sequence: 3,
  time: 2000,
  merge,
  partition: "2026_11",
  reason: "flush",
  sources,
  rows: 100 * sources.length,
  bytes: 90 * sources.length,
  outputClass: "small",
  choice: null,
  ...more,
});

const finished = (merge, output, more = {}) => ({
  type: "mergeFinished",
  sequence: 5,
  time: 2001,
  merge,
  partition: "2026_11",
  output,
  rowsMerged: 200,
  rowsDeleted: 0,
  rowsDeduplicated: 0,
  ...more,
});

const retired = (part, time = 2001) => ({ type: "partRetired", sequence: 6, time, part, partition: "2026_11" });

const inspected = (now, partitions) => ({
  now,
  partitions: partitions.map((partition) => ({ shards: [], pendingConversionRows: 0, parts: [], merges: [], ...partition })),
});

/** A model, what of it lingers, and all that has changed. */
function watched() {
  const [model, lingering, changes] = [new page.EngineModel(), new page.Lingering(), []];
  const take = (change) => {
    lingering.take(change);
    if (change) changes.push(change);
  };
  return {
    model,
    lingering,
    changes,
    apply: (event, at) => take(model.apply(event, at)),
    reconcile: (state, at) => model.reconcile(state, at).forEach(take),
    alive: () => model.parts().map(({ id }) => id),
  };
}

function merged() {
  const room = watched();
  room.apply(created(1), 10);
  room.apply(created(2), 20);
  room.apply(started(7, [1, 2]), 30);
  room.apply(created(3, { class: "small", name: "d", rows: 200, bytes: 120, merge: 7 }), 40);
  room.apply(finished(7, 3), 41);
  room.apply(retired(1), 42);
  room.apply(retired(2), 42);
  return room;
}

test("a merge replaces its sources, which linger and then go", () => {
  const { model, lingering } = merged();
  assert.equal(page.totalsOf(model).rows, 200);
  assert.equal(page.totalsOf(model).parts, 1);
  const shown = () => [...model.parts(), ...lingering.of("2026_11").parts].map(({ id }) => id).sort();
  assert.deepEqual(shown(), [1, 2, 3]);
  assert.deepEqual(
    lingering.of("2026_11").merges.map(({ id }) => id),
    [7],
  );
  assert.deepEqual(lingering.of("2026_10"), { parts: [], merges: [] });
  assert.ok(!lingering.isEmpty);
  assert.ok(!lingering.sweep(41 + page.LINGER_MS));
  assert.ok(lingering.sweep(42 + page.LINGER_MS + 1));
  assert.deepEqual(shown(), [3]);
  assert.ok(lingering.isEmpty);
});

test("events that come twice change nothing", () => {
  const once = merged();
  const twice = merged();
  twice.apply(created(3, { class: "small", name: "d", rows: 200, bytes: 120, merge: 7 }), 50);
  twice.apply(retired(1), 99);
  twice.apply(finished(7, 3), 99);
  assert.deepEqual(page.totalsOf(twice.model), page.totalsOf(once.model));
  assert.equal(twice.changes.length, once.changes.length);
});

test("what an event has done to parts and merges is handed out", () => {
  const { changes } = merged();
  assert.deepEqual(
    changes.map(({ type, part, merge, by }) => [type, (part ?? merge).id, by?.id].filter((of) => of !== undefined)),
    [
      ["born", 1],
      ["born", 2],
      ["started", 7],
      ["born", 3, 7],
      ["finished", 7],
      ["retired", 1],
      ["retired", 2],
    ],
  );
  const [one, , { merge }, three] = changes;
  assert.deepEqual([one.part.bornAt, one.part.retiredAt, one.part.readBy], [10, 42, merge]);
  assert.deepEqual([merge.sources[0], merge.output, merge.startedAt, merge.finishedAt], [one.part, three.part, 30, 41]);
  assert.deepEqual([three.part.madeBy, three.part.generation, three.part.retiredAt], [7, 1, undefined]);
});

test("a merge that is given up leaves its sources as they were", () => {
  const { model, apply, lingering, alive, changes } = watched();
  apply(created(1, { class: "small", name: "a" }), 1);
  apply(created(2, { class: "small", name: "b" }), 1);
  apply(started(7, [1, 2], { reason: "background" }), 2);
  apply({ type: "mergeProgressed", sequence: 3, time: 2000, merge: 7, partition: "2026_11", rowsDone: 50, rowsTotal: 200 }, 3);
  const { merge } = changes.at(-1);
  assert.equal(merge.rowsDone, 50);
  assert.ok(model.parts().every(({ readBy }) => readBy === merge));
  apply({ type: "mergeAborted", sequence: 4, time: 2001, merge: 7, partition: "2026_11", message: "no room" }, 4);
  assert.deepEqual(alive(), [1, 2]);
  assert.ok(model.parts().every(({ readBy }) => readBy === undefined));
  assert.deepEqual([merge.finishedAt, merge.output, model.partitions.get("2026_11").merges.size], [4, undefined, 0]);
  // It has put nothing in anything's place, so there is nothing to follow.
  assert.ok(lingering.isEmpty);
});

test("a month that is dropped goes as a whole, and what is told of it later does not bring it back", () => {
  const { model, apply, alive } = watched();
  apply(created(1, { partition: "2026_10" }), 1);
  apply(created(2), 1);
  apply(started(7, [1], { partition: "2026_10" }), 2);
  apply({ type: "partitionDropped", sequence: 3, time: 3, partition: "2026_10" }, 3);
  apply({ ...retired(1), partition: "2026_10" }, 3);
  apply({ ...finished(7, null), partition: "2026_10" }, 3);
  assert.deepEqual([...model.partitions.keys()], ["2026_11"]);
  assert.deepEqual(alive(), [2]);
});

test("a part is a generation older than the oldest that it was merged of", () => {
  const { model, apply } = watched();
  const generations = () => Object.fromEntries(model.parts().map(({ id, generation }) => [id, generation]));
  apply(created(1), 1);
  apply(started(1, [1]), 2);
  apply(created(2, { class: "small", name: "a", merge: 1 }), 2);
  // It was there when the engine opened its files: it was written once at least.
  apply(created(3, { class: "small", name: "b" }), 2);
  assert.deepEqual(generations(), { 1: 0, 2: 1, 3: 1 });
  apply(started(2, [2, 3], { reason: "background" }), 3);
  apply(created(4, { class: "small", name: "c", merge: 2 }), 3);
  apply(started(3, [3, 4], { reason: "forced" }), 4);
  apply(created(5, { class: "big", name: "d", merge: 3 }), 4);
  assert.deepEqual([generations()[4], generations()[5]], [2, 3]);
});

test("rows are counted from their shard until their part, and are safe from the disk on", () => {
  const model = new page.EngineModel();
  const figures = () => [page.totalsOf(model).rows, page.totalsOf(model).unsafeSince];
  model.apply({ type: "rowsAdded", sequence: 0, time: 500, partition: "2026_11", shard: 0, rows: 60, pendingRows: 60 }, 1);
  model.apply({ type: "rowsAdded", sequence: 1, time: 900, partition: "2026_11", shard: 0, rows: 40, pendingRows: 100 }, 2);
  assert.deepEqual(figures(), [100, 500]);
  // The shard ran over and was emptied before these came.
  model.apply({ type: "rowsAdded", sequence: 2, time: 950, partition: "2026_11", shard: 0, rows: 5, pendingRows: 5 }, 3);
  assert.equal(page.totalsOf(model).rows, 105);
  model.apply(created(1, { rows: 105 }), 4);
  model.apply({ type: "rawRowsFlushed", sequence: 4, time: 1000, partition: "2026_11", rows: 105, parts: [1] }, 4);
  assert.deepEqual(figures(), [105, 500]);
  model.apply(started(1, [1], { sequence: 5, time: 5000, rows: 105, bytes: 90 }), 5);
  model.apply(created(2, { class: "small", rows: 105, merge: 1 }), 6);
  model.apply(retired(1, 5001), 6);
  assert.deepEqual(figures(), [105, 0]);
});

test("an inspection puts right what events did not tell", () => {
  const { model, reconcile, lingering } = merged();
  reconcile(inspected(9, [{ name: "2026_12", shards: [{ rows: 3, capacity: 10 }], pendingConversionRows: 2 }]), 100);
  assert.deepEqual([...model.partitions.keys()], ["2026_12"]);
  assert.equal(page.totalsOf(model).rows, 5);
  assert.deepEqual(lingering.of("2026_12"), { parts: [], merges: [] });
});

test("an inspection that is ahead of the events is caught up with", () => {
  const { model, apply, reconcile, lingering, alive } = watched();
  apply(created(1), 10);
  apply(created(2), 20);
  reconcile(inspected(2500, [{ name: "2026_11", parts: [{ ...created(3, { class: "small", name: "d", rows: 200 }), id: 3 }] }]), 30);
  assert.deepEqual(alive(), [3]);
  assert.ok(model.parts()[0].isFound);
  // Now the events come that tell how this came about.
  apply(started(7, [1, 2]), 40);
  apply(created(3, { class: "small", name: "d", rows: 200, merge: 7 }), 41);
  apply(retired(1), 42);
  apply(retired(2), 42);
  apply(finished(7, 3), 43);
  assert.deepEqual(alive(), [3]);
  const [merge] = lingering.of("2026_11").merges;
  assert.deepEqual(
    merge.sources.map(({ id, readBy }) => [id, readBy === merge]),
    [
      [1, true],
      [2, true],
    ],
  );
  assert.deepEqual([merge.output, model.parts()[0].madeBy], [model.parts()[0], 7]);
  // What is added is counted once: the inspection has counted it.
  apply({ type: "rowsAdded", sequence: 9, time: 2400, partition: "2026_11", shard: 0, rows: 60, pendingRows: 60 }, 44);
  assert.equal(page.totalsOf(model).rows, 200);
});

test("a merge that was under way before anybody looked is known by an inspection", () => {
  const { model, apply, reconcile, changes } = watched();
  const parts = [1, 2].map((id) => ({ ...created(id, { class: "small", name: `p${id}` }), id }));
  const running = { id: 7, reason: "background", sources: [1, 2], outputClass: "small", rowsDone: 20, rowsTotal: 200, bytesTotal: 180 };
  reconcile(inspected(9, [{ name: "2026_11", parts, merges: [running] }]), 1);
  const merge = model.partitions.get("2026_11").merges.get(7);
  assert.deepEqual([merge.rowsDone, merge.rows, merge.bytes, merge.sources.length], [20, 200, 180, 2]);
  apply(created(3, { class: "small", name: "d", merge: 7 }), 2);
  apply(finished(7, 3), 2);
  assert.deepEqual([changes.at(-1).type, merge.output.id], ["finished", 3]);
});

test("parts that the engine of another tab has numbered anew are the same by their names, and its merges are over", () => {
  const { model, apply, reconcile, lingering } = watched();
  apply(created(1), 1);
  apply(started(1, [1]), 1);
  apply(created(4, { class: "small", name: "a", merge: 1 }), 1);
  apply(started(2, [4], { reason: "background" }), 2);
  apply(created(5, { class: "small", name: "b", merge: 2 }), 2);
  apply(finished(2, 5), 2);
  apply(retired(4), 2);
  apply(created(6, { class: "small", name: "c" }), 2);
  apply(finished(1, 4), 2);
  apply(retired(1), 2);
  // Under way when its tab was killed.
  apply(started(9, [5, 6], { reason: "background" }), 3);
  lingering.forget();
  const state = inspected(99, [
    {
      name: "2026_11",
      parts: [
        { ...created(1, { class: "small", name: "b" }), id: 1 },
        { ...created(5, { class: "small", name: "c" }), id: 5 },
        { ...created(6, { rows: 7 }), id: 6 },
      ],
    },
  ]);
  reconcile(state, 4);
  assert.deepEqual(
    model.parts().map(({ id, name, rows, generation, readBy }) => [id, name, rows, generation, readBy]),
    [
      [5, "c", 100, 1, undefined],
      [6, "", 7, 0, undefined],
      [1, "b", 100, 2, undefined],
    ],
  );
  assert.ok(lingering.isEmpty, "what has another number has gone nowhere");
  // The end of the merge may still be told: it is waited for until the next look.
  assert.equal(model.partitions.get("2026_11").merges.size, 1);
  reconcile(state, 5);
  assert.equal(model.partitions.get("2026_11").merges.size, 0);
});

test("after a crash parts have other numbers, those on disk are as old as they were, and the rest is gone", () => {
  const { model, apply, alive } = watched();
  apply(created(1), 1);
  apply(started(1, [1]), 1);
  apply(created(2, { class: "small", name: "a", merge: 1 }), 1);
  apply(finished(1, 2), 1);
  apply(retired(1), 1);
  apply(started(2, [2], { reason: "forced" }), 2);
  apply(created(3, { class: "small", name: "b", merge: 2 }), 2);
  apply(finished(2, 3), 2);
  apply(retired(2), 2);
  apply(created(4), 3);
  apply(created(5, { partition: "2026_12" }), 3);
  apply({ type: "rowsAdded", sequence: 9, time: 2400, partition: "2026_11", shard: 0, rows: 60, pendingRows: 60 }, 3);
  apply(started(3, [3], { reason: "forced" }), 4);
  const before = model.partitions.get("2026_11").parts.get(3);
  model.reopened(inspected(2500, [{ name: "2026_11", parts: [{ ...created(1, { class: "small", name: "b" }), id: 1 }] }]), 5);
  assert.deepEqual([alive(), [...model.partitions.keys()]], [[1], ["2026_11"]]);
  const [part] = model.parts();
  assert.deepEqual([part.generation, part.bornAt, part.readBy], [2, 5, undefined]);
  assert.notEqual(part, before, "a part with another number");
  assert.deepEqual([page.totalsOf(model).waitingRows, model.partitions.get("2026_11").merges.size], [0, 0]);
  // What is sent again at this very instant is heard of.
  apply({ type: "rowsAdded", sequence: 0, time: 2500, partition: "2026_11", shard: 0, rows: 6, pendingRows: 6 }, 5);
  assert.equal(page.totalsOf(model).waitingRows, 6);
});

test("the same events make the same model", () => {
  const plain = ({ model }) =>
    [...model.partitions.values()].map((partition) => ({
      ...partition,
      parts: [...partition.parts.values()].map((part) => ({ ...part, readBy: part.readBy?.id })),
      merges: [...partition.merges.keys()],
    }));
  assert.deepEqual(plain(merged()), plain(merged()));
});

test("flushes of one second are told in one line, a merge in another", () => {
  const lines = [];
  const flushed = (sequence, time) => ({ type: "rawRowsFlushed", sequence, time, partition: "2026_11", rows: 1000, parts: [sequence] });
  for (const event of [flushed(1, 1000), flushed(2, 1400), flushed(3, 2100)]) page.append(lines, page.describe(event, undefined, "log"));
  assert.deepEqual(
    lines.map(({ text }) => text),
    ["Flushed 2,000 raw rows into 2 in-memory parts; now searchable", "Flushed 1,000 raw rows into 1 in-memory part; now searchable"],
  );
  const change = merged().changes.find(({ type }) => type === "finished");
  const wrote = "Wrote 2 in-memory parts into one small part: 200 rows in 120 B, 0.6 bytes a sample";
  // What is in the log was durable before; what is in memory alone never is.
  for (const [keeper, words] of [
    ["log", "; the log need not keep these rows any more"],
    ["parts", "; now durable"],
    ["nothing", ""],
  ])
    assert.equal(page.describe(finished(7, 3), change, keeper).text, wrote + words);
  assert.equal(page.describe(finished(8, 4), undefined, "log"), undefined, "of a merge that nobody saw nothing is told");
});

// ---- the drawing ----

test("blocks stay inside of their zones, however many there are", () => {
  for (const stacked of [false, true]) {
    const model = new page.EngineModel();
    for (let id = 0; id < 300; id++) model.apply(created(id, { class: ["inmemory", "small", "big"][id % 3], bytes: 10 ** (id % 10) }), 1);
    const lane = page.layOut(model.partitions.get("2026_11"), page.NOTHING, stacked ? 330 : 900, stacked, 5);
    assert.equal(lane.blocks.length, 300);
    for (const { part, x, y, width, height } of lane.blocks) {
      const zone = lane.zones.find(({ name }) => name === part.class);
      assert.ok(
        x >= zone.x && x + width <= zone.x + zone.width + 0.01,
        `${part.class} from ${x} to ${x + width} in ${zone.x} + ${zone.width}`,
      );
      assert.ok(y >= zone.y && y + height <= zone.y + zone.height);
    }
  }
});

test("sources stand for a moment with curves to the output, then fly into it", () => {
  const { model, lingering } = merged();
  const [partition, over] = [model.partitions.get("2026_11"), lingering.of("2026_11")];
  const standing = page.layOut(partition, over, 900, false, 50);
  assert.equal(standing.flows.length, 2);
  assert.equal(standing.blocks.filter(({ leaving }) => leaving).length, 0);
  const flying = page.layOut(partition, over, 900, false, 42 + 700);
  const output = flying.blocks.find(({ part }) => part.id === 3);
  const sources = flying.blocks.filter(({ leaving }) => leaving);
  assert.equal(sources.length, 2);
  for (const source of sources) assert.deepEqual([source.x, source.y], [output.x, output.y]);
});

// ---- the chart ----

test("grains fall from below the month's name to their place, ever faster", () => {
  const glass = { top: 46 };
  const way = [0, 0.25, 0.5, 0.75, 1, 1.2].map((share) => page.glass.fallenTo(glass, 146, share));
  assert.deepEqual(way, [46, 52.25, 71, 102.25, 146, 146]);
});

test("decimation keeps the lowest and the highest sample of every pixel", () => {
  const pairs = Array.from({ length: 50_000 }, (_, i) => [i * 10, Math.sin(i / 900)]);
  pairs[12_345][1] = 77;
  pairs[43_210][1] = -77;
  const cut = page.decimate(column(...pairs), 0, 500_000, 300);
  assert.ok(cut.timestamps.length <= 4 * 301);
  assert.ok(cut.values.includes(77) && cut.values.includes(-77));
  assert.deepEqual(
    [...cut.timestamps],
    [...cut.timestamps].sort((a, b) => a - b),
  );
  assert.equal(cut.timestamps.at(-1), 499_990);
  assert.deepEqual(
    page.decimate({ ...column(...pairs), breaks: [20_000] }, 0, 500_000, 300).breaks,
    [20_000],
    "where a line breaks it stays broken",
  );
});

test("series of different instants share an axis, and a hole breaks the line", () => {
  const a = column([0, 1], [1000, 2], [2000, 3], [60_000, 4], [61_000, 5]);
  const b = column([500, 9], [1500, 8]);
  const table = page.align([{ ...a, breaks: page.gaps(a.timestamps) }, b]);
  assert.deepEqual(table.times, [0, 0.5, 1, 1.5, 2, 2.001, 60, 61]);
  assert.deepEqual(table.columns[0], [1, undefined, 2, undefined, 3, null, 4, 5]);
  // Another step is no hole.
  assert.deepEqual(page.gaps(Float64Array.of(0, 3600e3, 7200e3, 7260e3, 7320e3)), []);
});

test("names tell only what differs", () => {
  assert.deepEqual(
    page.distinguish([
      { __name__: "a", cpu: "0", mode: "user" },
      { __name__: "a", cpu: "1", mode: "user" },
    ]),
    ["cpu 0", "cpu 1"],
  );
  assert.deepEqual(page.distinguish([{ __name__: "load1" }, { __name__: "load5" }]), ["load1", "load5"]);
  assert.deepEqual(page.distinguish([{ __name__: "up", job: "x" }]), ["up"]);
});

// ---- the selector ----

test("completion knows where the cursor is, and what follows a choice", () => {
  const at = (text) => page.placeOf(text.replace("|", ""), text.indexOf("|"));
  assert.deepEqual([at("node_lo|").kind, at("node_lo|").typed], ["metric", "node_lo"]);
  assert.deepEqual([at("up{jo|").kind, at("up{jo|").metric], ["label", "up"]);
  assert.deepEqual([at('up{job="no|"}').kind, at('up{job="no|"}').label], ["value", "job"]);
  assert.equal(at('up{job="node"|}').kind, "none");
  const label = at("up{jo|");
  assert.deepEqual(page.complete("up{jo", label, "job"), { text: 'up{job="', cursor: 8 });
  assert.equal(page.complete('up{job="', at('up{job="|'), 'a"b').text, 'up{job="a\\"b"}');
  assert.equal(page.exactly({ __name__: "up", job: 'a"\n' }), '{__name__="up",job="a\\"\\n"}');
});

// ---- the replay ----

const scrape = async () => page.parseExposition(await readFile(join(PAGE, "public/node_exporter.prom"), "utf8"));

test("the replay begins with the real scrape, and one seed gives one course", async () => {
  const series = await scrape();
  assert.equal(series.length, 783);
  const [one, other] = [new page.Machine(series, 5), new page.Machine(series, 5)];
  assert.deepEqual(
    [...one.values],
    series.map(({ value }) => value),
  );
  for (const machine of [one, other]) for (let second = 1; second <= 60; second++) machine.advance(1, 1_795_328_401 + second);
  assert.deepEqual([...one.values], [...other.values]);
  assert.notDeepEqual(
    [...one.values],
    series.map(({ value }) => value),
  );
});

test("counters never fall, processors have one second a second, gauges stay near home", async () => {
  const series = await scrape();
  const machine = new page.Machine(series, 1);
  const begin = [...machine.values];
  let last = begin;
  const [available, memory] = ["MemAvailable", "MemTotal"].map((name) =>
    series.findIndex(({ labels }) => labels.__name__ === `node_memory_${name}_bytes`),
  );
  for (let step = 1; step <= 2000; step++) {
    machine.advance(step % 3 === 0 ? 60 : 1, 1_795_328_401 + step);
    const now = [...machine.values];
    assert.ok(now[available] <= now[memory], `${now[available]} of ${now[memory]} bytes are there`);
    series.forEach(({ type, labels }, index) => {
      if (type === "counter") assert.ok(now[index] >= last[index], `${labels.__name__} fell from ${last[index]} to ${now[index]}`);
      assert.ok(Number.isFinite(now[index]));
    });
    last = now;
  }
  const passed = 666 * 60 + 1334;
  for (const cpu of ["0", "1"]) {
    const spent = series.reduce(
      (sum, { labels }, i) => (labels.__name__ === "node_cpu_seconds_total" && labels.cpu === cpu ? sum + last[i] - begin[i] : sum),
      0,
    );
    assert.ok(Math.abs(spent / passed - 1) < 0.02, `processor ${cpu} spent ${spent} of ${passed} s`);
  }
  assert.ok(Math.abs(last[available] / begin[available] - 1) < 0.4);
  assert.equal(last[available] % 4096, 0);
});

test("a machine that is resumed goes on from where it was", async () => {
  const series = await scrape();
  const machine = new page.Machine(series, 1);
  const values = series.map(({ value }, index) => (index === 3 ? Number.NaN : value + 1000));
  machine.resume(values, 2);
  assert.deepEqual(
    [...machine.values],
    values.map((value, index) => (index === 3 ? series[3].value : value)),
  );
});

test("the past ends before now, in ever finer steps that do not overlap", () => {
  const now = 1_795_328_401_000;
  const stretches = page.instants(now);
  const all = stretches.flatMap((times) => [...times]);
  assert.deepEqual(
    all,
    [...new Set(all)].sort((a, b) => a - b),
  );
  assert.equal(all.at(-1), now - 1000);
  assert.equal(Math.round((now - all[0]) / 86400e3), 30);
});

test("a chart goes on following after a question that failed, and asks no question again that cannot be right", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_800_000_000_000 });
  globalThis.document = { visibilityState: "visible" };
  t.after(() => delete globalThis.document);
  const settle = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  let asked = 0;
  let answer = () => Promise.reject(Object.assign(new Error("the disk is asleep"), { code: "storage" }));
  const feed = new page.ChartFeed();
  feed.use({
    labels: () => (asked++, answer()),
    select: () => Promise.resolve([{ labels: { __name__: "up" }, timestamps: Float64Array.of(1), values: Float64Array.of(2) }]),
  });
  t.mock.timers.tick(1);
  await settle();
  assert.deepEqual([asked, feed.problem.value], [1, "the disk is asleep"]);
  answer = () => Promise.resolve([{ __name__: "up" }]);
  t.mock.timers.tick(5000);
  await settle();
  assert.deepEqual([asked, feed.problem.value, feed.drawn.value.samples], [2, "", 1]);
  t.mock.timers.tick(5000);
  await settle();
  assert.equal(asked, 3);
  answer = () => Promise.reject(Object.assign(new Error("a brace is missing"), { code: "invalid" }));
  feed.selector.value = "up{";
  t.mock.timers.tick(1);
  await settle();
  assert.deepEqual([asked, feed.problem.value], [4, "a brace is missing"]);
  t.mock.timers.tick(60_000);
  await settle();
  assert.equal(asked, 4);
  feed.use(undefined);
});

test("a rate is the engine's own, over a reset, and a hole is one", async (t) => {
  globalThis.document ??= { visibilityState: "visible" };
  const START = Date.UTC(2026, 10, 10);
  const db = await open({ storage: "memory", clock: "manual", startTime: START, retention: "100y" });
  t.after(() => db.close());
  const times = Array.from({ length: 300 }, (_, i) => START - 300_000 + i * 1000).filter((_, i) => i < 100 || i >= 160);
  for (const [name, growth] of [
    ["reads_total", 3],
    ["writes_total", 7],
  ])
    await db.append(
      { __name__: name },
      times,
      times.map((time) => ((time - START) / 1000 + (time < START - 50_000 ? 1000 : 50)) * growth),
    );
  await db.flush();
  const feed = new page.ChartFeed();
  t.after(() => feed.use(undefined));
  feed.selector.value = '{__name__=~"(reads|writes)_total"}';
  feed.rate.value = true;
  feed.fixed.value = { start: START - 300_000, end: START - 1000 };
  feed.use(db);
  while (!feed.drawn.value) await new Promise((resolve) => setTimeout(resolve, 5));
  const { names, table, matched } = feed.drawn.value;
  assert.deepEqual([names, matched], [["reads_total", "writes_total"], 2]);
  const at = (column, ms) => table.columns[column][table.times.findIndex((time) => time >= (START + ms) / 1000)];
  for (const [column, growth] of [
    [0, 3],
    [1, 7],
  ]) {
    for (const ms of [-250_000, -60_000, -10_000]) assert.ok(Math.abs(at(column, ms) - growth) < 1e-9, `${at(column, ms)} at ${ms}`);
    assert.ok(
      table.columns[column].every((value) => value === null || value >= 0),
      "a reset is no fall",
    );
    assert.equal(at(column, -170_000), null, "in the hole nothing is known");
  }
});

test("counts have their word's form", () => {
  assert.deepEqual(
    [1, 0, 3900].map((count) => page.many(count, "sample")),
    ["1 sample", "0 samples", "3.9 k samples"],
  );
  assert.equal(page.day(new Date(2026, 4, 5).getTime()), "5 May");
});

// ---- the lesson ----

test("every word of the lesson is defined in the sentence in which it is used first", () => {
  const { CHAPTERS, WORDS, QUESTIONS } = page;
  const told = CHAPTERS.flatMap(({ id, text, look }) => [...text, look, QUESTIONS[id].asks]);
  for (const [word] of WORDS) {
    const used = told.find((paragraph) => new RegExp(`(?<![\\w-])${word}s?(?![\\w-])`).test(paragraph));
    assert.ok(used, `${word} is in the list of words and nowhere else`);
    const first = new RegExp(`(?<![\\w-])(\\*?)${word}s?(?![\\w-])`).exec(used);
    assert.equal(first[1], "*", `${word} is used before it is defined: ${used}`);
  }
});

test("every chapter asks something, says what it leaves out, and which server it follows", () => {
  for (const { id, leavesOut } of page.CHAPTERS) {
    assert.ok(page.questionOf(id), id);
    assert.match(leavesOut, /1\.72/, id);
  }
  assert.deepEqual(
    Object.keys(page.QUESTIONS),
    page.CHAPTERS.map(({ id }) => id),
  );
});

test("every situation says where to look, what it leaves out, and which server it follows", () => {
  for (const { id, watch, leavesOut } of page.SITUATIONS) {
    assert.ok(watch.length > 60, id);
    assert.match(leavesOut, /1\.72/, id);
  }
});

const header = (tsid, minTimestamp, maxTimestamp, rows) => ({
  tsid,
  minTimestamp,
  maxTimestamp,
  rows,
  valuesBytes: rows,
  timestampsBytes: 2,
});

test("a walk reads the blocks of one series whose time meets the window, and no others", () => {
  const parts = [
    { id: 2, minTimestamp: 50, maxTimestamp: 99 },
    { id: 1, minTimestamp: 0, maxTimestamp: 49 },
    { id: 3, minTimestamp: 100, maxTimestamp: 149 },
  ];
  const headers = {
    1: [header("a", 0, 20, 5), header("a", 21, 49, 5), header("b", 0, 49, 9)],
    2: [header("b", 50, 99, 9)],
    3: [header("a", 100, 149, 7)],
  };
  const { parts: walked, rows, bytes } = page.walk.walked(parts, ({ id }) => headers[id], "a", { from: 30, to: 100 });
  assert.deepEqual(
    walked.map(({ part, meets, wanted }) => [part.id, meets, wanted.map(({ at }) => at)]),
    [
      [1, true, [1]],
      [2, true, []],
      [3, true, [0]],
    ],
  );
  assert.deepEqual([rows, bytes], [12, 16]);
  assert.equal(page.walk.walked(parts, ({ id }) => headers[id], "a", { from: 51, to: 98 }).rows, 0);
  const blocks = [
    { timestamps: BigInt64Array.of(100n, 110n), values: [4, 5] },
    { timestamps: BigInt64Array.of(21n, 30n, 49n), values: [1, 2, 3] },
  ];
  assert.deepEqual(
    page.walk.within(blocks, { from: 30, to: 100 }).map(({ value }) => value),
    [2, 3, 4],
  );
});

test("what a browser estimates is believed only where it can be", () => {
  const [quota, stored] = [64e9, 12e6];
  for (const usage of [12e6, 30e6, 2e9, 6e9]) assert.ok(page.isPlausible(usage, quota, stored), String(usage));
  for (const usage of [0, 1e6, 2 ** 32, 2 ** 32 - 5e6, 65e9]) assert.ok(!page.isPlausible(usage, quota, stored), String(usage));
  assert.ok(page.isPlausible(2 ** 32 - 5e6, quota, 4.2e9));
});

test("a house tells of what is over in its engine, too: merges, steps, and the rows that wait one by one", () => {
  const house = new page.House();
  const told = (at, what) => house.apply({ at, what });
  const steps = () => Object.fromEntries([...house.steps].map(([step, { times }]) => [step, times]));
  told(1, { type: "sent", partition: "2026_11", rows: 3, series: [4, 5, 6] });
  told(1, { type: "rowsAdded", sequence: 0, time: 1, partition: "2026_11", shard: 0, rows: 3, pendingRows: 3 });
  assert.deepEqual(house.grainsOf("2026_11"), [4, 5, 6]);
  told(2, created(1, { rows: 3 }));
  told(2, { type: "rawRowsFlushed", sequence: 2, time: 2, partition: "2026_11", rows: 3, parts: [1] });
  assert.deepEqual(house.grainsOf("2026_11"), []);
  told(3, started(1, [1]));
  told(3, created(2, { class: "small", name: "a", merge: 1, blocks: 2 }));
  told(3, retired(1));
  told(3, finished(1, 2));
  told(4, started(2, [2], { reason: "background" }));
  assert.deepEqual([house.lastMerge.id, house.lastMerge.finishedAt], [2, undefined]);
  told(5, { type: "mergeAborted", sequence: 9, time: 5, merge: 2, partition: "2026_11", message: "no room" });
  assert.deepEqual(
    house.merges.map(({ id, sources, output, startedAt, finishedAt }) => [
      id,
      sources.map((part) => part.id),
      output?.id,
      startedAt,
      finishedAt,
    ]),
    [
      [1, [1], 2, 3, 3],
      [2, [2], undefined, 4, 5],
    ],
  );
  assert.deepEqual(steps(), { call: 1, shard: 1, block: 3, inmemory: 1, flush: 1, disk: 1, swap: 1, streams: 1, choose: 1 });
  told(6, { type: "refused", what: "merge", message: "no room" });
  told(6, { type: "crashed", lostRows: 2, loggedRows: 0, sentAgain: 0, state: inspected(6, []) });
  assert.deepEqual([house.parts(), house.crashes.length, house.troubles.length, house.merges.length], [[], 1, 1, 2]);
});

test("a snapshot links the same parts after a crash, though they have other numbers then", () => {
  const house = new page.House();
  const month = "2024_03";
  const part = (id, name) => house.apply({ at: 1, what: created(id, { class: "small", partition: month, name }) });
  part(1, "stays");
  part(2, "goes");
  house.apply({ at: 2, what: { type: "snapshotCreated", name: "s", parts: 2, files: 8, linkedBytes: 20 } });
  house.apply({ at: 3, what: { type: "partRetired", partition: month, part: 2 } });
  const alone = () => {
    const present = new Set(house.parts().map(({ id }) => id));
    return house.snapshots[0].linked.filter(({ id }) => !present.has(id)).map(({ name }) => name);
  };
  assert.deepEqual(alone(), ["goes"]);
  // Twice: what a crash has numbered anew is numbered anew by the next one.
  for (const id of [2, 7]) {
    const found = { ...created(id, { class: "small", partition: month, name: "stays" }), id };
    house.apply({ at: 4, what: { type: "crashed", lostRows: 0, state: inspected(4, [{ name: month, parts: [found] }]) } });
    assert.deepEqual(alone(), ["goes"]);
    assert.deepEqual(
      house.snapshots[0].linked.map(({ id }) => id),
      [id, -1],
    );
  }
});

test("the lineage of parts leads from each one on disk to those that it was merged of", () => {
  const house = new page.House();
  const part = (id, at, merge = null, partClass = "small") =>
    house.apply({ at, what: created(id, { class: partClass, merge, partition: "2024_03", name: `p${id}` }) });
  const merge = (id, sources, output, at) => {
    house.apply({
      at,
      what: {
        type: "mergeStarted",
        merge: id,
        partition: "2024_03",
        reason: "background",
        sources,
        rows: 1,
        bytes: 1,
        outputClass: "small",
        choice: null,
      },
    });
    part(output, at, id);
    house.apply({ at, what: { type: "mergeFinished", merge: id, partition: "2024_03", output, rowsDeleted: 0, rowsDeduplicated: 0 } });
    for (const source of sources) house.apply({ at, what: { type: "partRetired", partition: "2024_03", part: source } });
  };
  part(1, 10);
  part(2, 20);
  part(3, 30);
  merge(1, [1, 2], 4, 35);
  merge(2, [3, 4], 5, 50);
  part(6, 60);
  part(7, 65, null, "inmemory");
  const { parts, merges, from } = page.lineageOf(house, 70);
  assert.equal(from, 10);
  assert.deepEqual(parts.map(({ part: { id }, from: born, to, isAlive }) => [id, born, to, isAlive]).sort(), [
    [1, 10, 35, false],
    [2, 20, 35, false],
    [3, 30, 50, false],
    [4, 35, 50, false],
    [5, 50, 70, true],
    [6, 60, 70, true],
  ]);
  assert.deepEqual(merges.map(({ merge: { id }, at, sources }) => [id, at, sources.length]).sort(), [
    [1, 35, 2],
    [2, 50, 2],
  ]);
  // Leaves stand apart, and a merge stands amid its sources.
  assert.equal(new Set(parts.filter(({ part: { id } }) => [1, 2, 3, 6].includes(id)).map(({ y }) => y)).size, 4);
  house.apply({ at: 80, what: { type: "crashed", lostRows: 0, state: inspected(80, []) } });
  assert.deepEqual(page.lineageOf(house, 90).merges, []);
});

test("the bits of a varint make the difference that was stored", () => {
  const read = (...bytes) => {
    const { bytes: parts, joined, unsigned, value } = page.varintBits(Uint8Array.from(bytes));
    return [parts.map(({ more, bits }) => `${more ? 1 : 0} ${bits}`).join(", "), joined, unsigned, value];
  };
  assert.deepEqual(read(0x00), ["0 0000000", "0000000", 0n, 0n]);
  assert.deepEqual(read(0x05), ["0 0000101", "0000101", 5n, -3n]);
  assert.deepEqual(read(0x8a, 0x01), ["1 0001010, 0 0000001", "00000010001010", 138n, 69n]);
  const longest = page.varintBits(Uint8Array.from([...new Array(9).fill(0xff), 0x01]));
  assert.deepEqual([longest.unsigned, longest.value], [2n ** 64n - 1n, -(2n ** 63n)]);
});

test("an address is embedded, and the embedded one leads to the whole", () => {
  assert.match(
    page.frameOf('https://a.example/x"y/#inside?s=late&at=24'),
    /^<iframe src="https:\/\/a.example\/x&quot;y\/#inside\?s=late&amp;at=24&amp;embed" /,
  );
  assert.match(page.frameOf("https://a.example/#inside"), /#inside\?embed"/);
  for (const [hash, whole] of [
    ["#inside?s=late&embed", "#inside?s=late"],
    ["#inside?embed&s=late", "#inside?s=late"],
    ["#chapters/why-merge?embed", "#chapters/why-merge"],
    ["#inside?s=embed", "#inside?s=embed"],
  ])
    assert.equal(page.wholeOf(hash), whole);
});

test("numbers of one's own stand in the address as they are, and what is none is left out of it", () => {
  const numbers = [0, -0.5, 1e21, 1e-7, 123456789.125, -1.5e300, 5e-324];
  const place = page.lived.placeOf("#inside?s=late&do=3~flush,4.5~merge&at=9");
  const history = page.lived.fork(place.history, { at: 5000, kind: "own", numbers });
  const hash = page.lived.hashOf({ ...place, history });
  assert.match(hash, /do=3~flush,4\.5~merge,5~own_0_-0\.5_1e21_1e-7_123456789\.125_-1\.5e300_5e-324&/);
  assert.deepEqual(page.lived.placeOf(hash).history, history);
  const actionsOf = (text) => page.lived.placeOf(`#inside?do=${text}`).history.actions;
  assert.deepEqual(actionsOf("1~own_NaN_x__ _1e999_7_0x10"), [{ at: 1000, kind: "own", numbers: [7, 16] }]);
  assert.deepEqual(actionsOf("1~own,2~own_,3~own_NaN,4~flush_1,5~_1,6~flush"), [{ at: 6000, kind: "flush" }]);
  assert.equal(actionsOf(`1~own${"_1".repeat(9999)}`)[0].numbers.length, page.MOST_OWN);
});

test("numbers are found in whatever was pasted", () => {
  assert.deepEqual(page.numbersIn('[1, 2.5,"-3e2"]\n4\t0x10;x NaN', 10), {
    numbers: [1, 2.5, -300, 4, 16],
    found: 5,
    refused: ["x", "NaN"],
  });
  assert.deepEqual(page.numbersIn("1 2 x 3", 2), { numbers: [1, 2], found: 3, refused: ["x"] });
  assert.deepEqual(page.numbersIn("  ", 2), { numbers: [], found: 0, refused: [] });
});

// ---- what is heavy in a snapshot ----

test("labels are weighed by their values, values by their series, metrics by their blocks", () => {
  const sets = [
    { __name__: "a", job: "x", pod: "1" },
    { __name__: "a", job: "x", pod: "2" },
    { __name__: "b", job: "y", pod: "3" },
    { __name__: "b", job: "x" },
  ];
  assert.deepEqual(
    page.labelWeights(sets).map(({ name, values, series }) => [name, values, series]),
    [
      ["pod", 3, 3],
      ["__name__", 2, 4],
      ["job", 2, 4],
    ],
  );
  assert.deepEqual(page.valueWeights(sets, "job"), [
    { value: "x", series: 3 },
    { value: "y", series: 1 },
  ]);
  assert.equal(
    page.narrowed(sets, [
      ["job", "x"],
      ["__name__", "b"],
    ]).length,
    1,
  );
  const scales = new page.Scales(sets);
  const block = (name, rows, timestampsOffset) => ({
    labels: name && { __name__: name },
    rows,
    timestampsBytes: 10,
    timestampsOffset,
    valuesBytes: rows,
  });
  // The second shares the timestamps of the first; of the last nobody knows the name.
  scales.add([block("a", 5, 0), block("a", 7, 0), block("b", 100, 10), block(null, 9, 20)]);
  assert.deepEqual(scales.metrics, [
    { name: "b", series: 2, samples: 100, bytes: 10 + 100 + 81 },
    { name: "a", series: 2, samples: 12, bytes: 10 + 12 + 2 * 81 },
  ]);
});

// ---- the room Explore ----

test("words of MetricsQL stand in their places, and a long row of them is read in no time", () => {
  assert.equal(page.asPromql("a  if b"), "a  or b");
  assert.equal(page.asPromql("(a) default 1"), "(a) or      1");
  // Here they are names.
  for (const text of ["if", "if + default", "a + if", '{if="b"}', "sum(a) by (if)"]) assert.equal(page.asPromql(text), text);
  const began = performance.now();
  for (const between of [" ", "/"]) page.asPromql(`if${between}`.repeat(100_000));
  // A look at all that stands before each of them would take minutes.
  assert.ok(performance.now() - began < 10_000);
});

// ---- samples as text ----

test("samples as text tell their format by their first lines", () => {
  const formatOf = (head) => {
    const found = page.formatOf(head);
    return found && [found.options.format, found.options.csvFormat].filter(Boolean).join(" ");
  };
  const found = [
    '# HELP up Whether it is up.\n# TYPE up gauge\nup{job="a b",instance="x"} 1\n',
    "up 1\n",
    "up{} NaN 1768478400000\n",
    'process:cpu_seconds_total{cpu="0"} 1.5e3 1768478400.25 # {trace="x"} 1\n',
    '{"metric.with.dots",room="attic"} 1\n',
    '{"metric":{"__name__":"up"},"values":[1],"timestamps":[1]}\n',
    "weather,place=Oslo temperature=-4.5,wind=3i 1768478400000000000\n",
    "cpu usage=97.25\n",
    "garden.soil.moisture 0.31 1768478400\n",
    "load 0.31 1768478400\n",
    "time,place,temperature,wind speed\n2026-01-15T12:00:00Z,Oslo,-4.5,3\n",
    '"when","value"\n"2026-01-15 12:00:00","7"\n',
    "at,value\n1768478400,7\n",
    "at,value\r\n1768478400000,7\r\n",
    '{"resourceMetrics":[]}',
  ].map(formatOf);
  assert.deepEqual(found, [
    "prometheus",
    "prometheus",
    "prometheus",
    "prometheus",
    "prometheus",
    "jsonl",
    "influx",
    "influx",
    "graphite",
    "graphite",
    "csv 1:time:rfc3339,2:label:place,3:metric:temperature,4:metric:wind_speed",
    "csv 1:time:custom:2006-01-02 15:04:05,2:metric:value",
    "csv 1:time:unix_s,2:metric:value",
    "csv 1:time:unix_ms,2:metric:value",
    "otlp",
  ]);
  for (const other of ["", "# nothing but words\n", "Dear all,\nthis is a letter.\n", "a,b\nc,d\n", "<html></html>", '{"name":"package"}'])
    assert.equal(formatOf(other), undefined, other);
});

test("the times of a table are read for certain, or it is not opened", async () => {
  const read = async (rows) => {
    const samples = await page.samplesIn(new File([rows.join("\n")], "a.csv", { lastModified: Date.UTC(2026, 0, 15) }));
    const { database, result } = await page.openSamples(samples);
    const found = await database.select("frost");
    await database.close();
    assert.deepEqual(result.errors, [], rows[1]);
    return [samples.format, ...found.flatMap(({ timestamps }) => [...timestamps].map((time) => new Date(time).toISOString()))];
  };
  const morning = "2026-11-27T10:00:00.000Z";
  for (const [time, expected] of [
    ["2026-11-27 10:00", morning],
    ["2026-11-27T10:00:00", morning],
    ["2026-11-27T10:00", morning],
    ["2026-11-27T10:00:00Z", morning],
    ["2026-11-27T11:00:00.000+01:00", morning],
    ["2026-11-27 10:00:00.25", "2026-11-27T10:00:00.250Z"],
    ["2026/11/27 10:00", morning],
    ["11/27/2026 10:00", morning],
    ["27/11/2026 10:00", morning],
    ["27.11.2026 10:00:00", morning],
    ["27.11.2026", "2026-11-27T00:00:00.000Z"],
    ["1795860000", "2026-11-28T10:00:00.000Z"],
    ["1795860000000", "2026-11-28T10:00:00.000Z"],
  ])
    assert.deepEqual(
      await read(["day,frost", `${time},1`]),
      ["a table (CSV) in which “day” is the time and “frost” is a metric", expected],
      time,
    );
  // A later row tells the day from the month.
  assert.deepEqual((await read(["day,frost", "3/4/2026,1", "25/4/2026,2"])).slice(1), [
    "2026-04-03T00:00:00.000Z",
    "2026-04-25T00:00:00.000Z",
  ]);
  // A number is taken for a time only when no other column is one.
  assert.deepEqual(await read(["bytes,time,frost,place", "1795860000,2026-11-27 10:00,1,Oslo"]), [
    "a table (CSV) in which “time” is the time, “place” is a label, and “bytes” and “frost” are metrics",
    morning,
  ]);
  assert.deepEqual(await read(["place,frost", "Oslo,1"]), [
    "a table (CSV) in which no column is a time, so that every sample has the file’s, “place” is a label, and “frost” is a metric",
    "2026-01-15T00:00:00.000Z",
  ]);
  // What only looks like a time is none.
  assert.deepEqual(await read(["instance,stamp,frost", "10.0.0.1:9100,1795860000,1"]), [
    "a table (CSV) in which “stamp” is the time, “instance” is a label, and “frost” is a metric",
    "2026-11-28T10:00:00.000Z",
  ]);
  assert.match((await read(["version,frost", "1.2.3,5"]))[0], /no column is a time.*“version” is a label/);
  assert.match((await read(["epoch,frost", "1,0.5"]))[0], /no column is a time.*“epoch” and “frost” are metrics/);
  for (const time of ["3/4/2026", "1795860000.5", "1795860000000000", "Nov 27 2026 10:00", "10:00", "27-Nov-2026", "yesterday"])
    await assert.rejects(
      async () => read(["time,frost", `${time},1`]),
      (error) => error.message.includes(`“time” looks like a time, but “${time}” is in none of the forms`),
      time,
    );
});

test("samples as text are read in memory, and what is refused is told", async () => {
  const { gzipSync } = await import("node:zlib");
  const read = async (name, content) => {
    const samples = await page.samplesIn(new File([content], name, { lastModified: Date.UTC(2026, 0, 15) }));
    if (samples === undefined) return undefined;
    const { database, result } = await page.openSamples(samples);
    const found = await database.select('{__name__!=""}');
    await database.close();
    const rows = found.map(({ labels, timestamps, values }) => [labels.__name__, labels.place ?? "", timestamps[0], values[0]]);
    return { rows, rejected: result.rejected, line: result.errors[0]?.line && result.errors[0].line + samples.linesBefore };
  };
  const day = Date.UTC(2026, 0, 15);
  assert.deepEqual(await read("a.prom", "up 1\nup half\n"), { rows: [["up", "", day, 1]], rejected: 1, line: 2 });
  assert.deepEqual(await read("a.txt.gz", gzipSync("up 1\n")), { rows: [["up", "", day, 1]], rejected: 0, line: undefined });
  const table = "time,place,frost\n2026-01-15 00:00:01,Oslo,4.5\n2026-01-15 00:00:02,Oslo,warm\n";
  assert.deepEqual(await read("a.csv", table), { rows: [["frost", "Oslo", day + 1000, 4.5]], rejected: 1, line: 3 });
  for (const tar of [
    Buffer.from(`${"data/".padEnd(257, "\0")}ustar\0`),
    gzipSync(Buffer.alloc(1024)),
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 1]),
  ])
    assert.equal(await read("a.tar", tar), undefined);
});

test("an address holds 64 deeds of half an hour, in the order of their times", () => {
  const history = (count, at = (i) => i) => ({
    situation: "steady",
    seed: 7,
    actions: Array.from({ length: count }, (_, i) => ({ at: at(i), kind: "burst" })),
  });
  assert.equal(page.lived.tooLong(history(64)), "");
  assert.match(page.lived.tooLong(history(65)), /64 deeds of the first 30 minutes/);
  assert.match(page.lived.tooLong(history(1, () => 30 * 60_000 + 1)), /30 minutes/);
  const late = Array.from({ length: 70 }, (_, i) => `${100 - i}~burst`).join(",");
  const { actions } = page.lived.placeOf(`#inside?s=steady&do=${late}`).history;
  assert.deepEqual([actions.length, actions[0].at, actions.at(-1).at], [64, 31_000, 94_000]);
});
