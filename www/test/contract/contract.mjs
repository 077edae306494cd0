// What the package promises, as a list of tests that run in Node and in a page, over every storage. Nothing is asked of the
// surroundings but the package itself.

import { equal, fails, ok } from "./assert.mjs";
import { EXPECTATIONS, STORED_EXPECTATIONS } from "./expectations.mjs";
import { QUERY_TESTS } from "./queries.mjs";
import { SNAPSHOT_TESTS } from "./snapshots.mjs";

/** An hour into 2024-03-10, a time the databases of these tests begin at. */
export const START = Date.UTC(2024, 2, 10, 1);
const STALE_BITS = 0x7ff0000000000002n;
const EVERY_SERIES = '{__name__!=""}';

let opened = 0;
/** The names of this run's databases begin with this. */
const RUN = `contract-${Math.random().toString(36).slice(2)}`;

const text = (stream) => new Response(stream).text();
/** Reads to the end. In a page `text` would tell of a failed stream in words of its own. */
async function drain(stream) {
  const reader = stream.getReader();
  while (!(await reader.read()).done);
}
/** The values, the one at `at` made a staleness marker. By its bits: a number in a variable may be any NaN (in Firefox it is). */
function withMarker(values, at) {
  const column = Float64Array.from(values);
  new BigUint64Array(column.buffer)[at] = STALE_BITS;
  return column;
}
const lines = (body) =>
  body
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

/** Each test gets the package, and `open` for a database of its own on a clock that is moved by hand. */
export const TESTS = {
  ...EXPECTATIONS,
  ...QUERY_TESTS,
  ...SNAPSHOT_TESTS,

  async "it tells what it has got"({ open, thread, storage, name }) {
    const db = await open({ name });
    equal([db.name, db.storage], [name, storage]);
    const { persistence, quotaBytes, usageBytes, ...opened } = db.opened;
    equal(opened, { storage, role: "writer", thread });
    ok(storage === "memory" ? persistence === "none" : ["best-effort", "persistent"].includes(persistence), persistence);
    if (storage === "memory") equal([quotaBytes, usageBytes], [undefined, undefined]);
    else ok(quotaBytes > 0 && usageBytes >= 0 && usageBytes < quotaBytes, `${usageBytes} of ${quotaBytes} bytes`);
  },

  async "the same labels give the same handle, whatever their order"({ open }) {
    const db = await open();
    const handle = db.series({ __name__: "up", job: "node" });
    ok(handle === db.series({ job: "node", __name__: "up" }));
    ok(handle === db.series({ job: "node", __name__: "up", empty: "" }));
    ok(handle !== db.series({ job: "node", __name__: "down" }));
    equal(handle.labels, { __name__: "up", job: "node" });
    await fails("invalid", () => db.series({}));
    await fails("invalid", () => db.series({ __name__: "up", port: 9100 }), /port.*string/);
    await fails("invalid", () => db.series(null));
  },

  async "typed arrays, big integers and plain arrays come back sorted and equal"({ open }) {
    const db = await open();
    const times = [START + 3000, START + 1000, START + 2000];
    await db.append({ __name__: "floats" }, Float64Array.from(times), Float64Array.of(3.5, 1.25, -2e10));
    await db.append({ __name__: "bigints" }, BigInt64Array.from(times, BigInt), [3, 1, 2]);
    await db.append({ __name__: "numbers" }, times, [3, 1, Infinity]);
    await db.append({ __name__: "fractions" }, [START + 0.9, START + 1.1], [1, 2]);
    await db.flush();
    const sorted = Float64Array.of(START + 1000, START + 2000, START + 3000);
    const of = async (name) => {
      const found = await db.select(name);
      equal(found.length, 1);
      equal(found[0].labels, { __name__: name });
      return found[0];
    };
    equal((await of("floats")).timestamps, sorted);
    equal((await of("floats")).values, Float64Array.of(1.25, -2e10, 3.5));
    equal((await of("bigints")).timestamps, sorted);
    equal((await of("bigints")).values, Float64Array.of(1, 2, 3));
    equal((await of("numbers")).values, Float64Array.of(1, Infinity, 3));
    equal((await of("fractions")).timestamps, Float64Array.of(START, START + 1));
  },

  async "a staleness marker survives with its bits, other NaNs are dropped"({ open }) {
    const db = await open();
    await db.append({ __name__: "gone" }, [START, START + 1, START + 2], withMarker([1, 0, NaN], 1));
    await db.appendRow([db.series({ __name__: "gone_row" })], START, withMarker([0], 0));
    const times = Float64Array.from({ length: 40 }, (_, i) => START + i);
    await db.append({ __name__: "gone_late" }, times, withMarker(times, 39));
    await db.flush();
    const marked = async (name, at) => {
      const [{ timestamps, values }] = await db.select(name);
      equal(new BigUint64Array(values.buffer, values.byteOffset)[at], STALE_BITS);
      return timestamps;
    };
    equal(await marked("gone", 1), Float64Array.of(START, START + 1));
    await marked("gone_row", 0);
    await marked("gone_late", 39);
  },

  async "columns that cannot be used are refused, and say where"({ open }) {
    const db = await open();
    const up = db.series({ __name__: "up" });
    await fails("invalid", () => db.append(up, [START, NaN], [1, 2]), /timestamps\[1\]/);
    await fails("invalid", () => db.append(up, [Infinity], [1]), /timestamps\[0\]/);
    await fails("invalid", () => db.append(up, [START], [1, 2]), /1 timestamps.*2 values/);
    await fails("invalid", () => db.append(up, "now", [1]));
    await fails("invalid", () => db.append(up, [START], new Float32Array(1)));
    await fails("invalid", () => db.appendRow([up], NaN, [1]), /NaN/);
    await fails("invalid", () => db.appendRow([up], START, [1, 2]), /1 series.*2 values/);
    await fails("invalid", () => db.appendRow([{ labels: {} }], START, [1]), /handle/);
    await db.append(up, [], []);
    await db.appendRow([], START, []);
  },

  async "whatever cannot be used is refused with a code, and says what it is"({ open, sandglass }) {
    for (const options of [
      null,
      5,
      [],
      { authKeys: null },
      { storage: null },
      { files: null },
      { wasm: null },
      { authKeys: "key" },
      { signal: 5 },
      { signal: {} },
    ]) {
      const own = typeof options === "object" && options !== null && !Array.isArray(options) ? { storage: "memory", ...options } : options;
      await fails("invalid", () => sandglass.open(own), /object|signal|is null/);
    }
    const db = await open();
    const up = db.series({ __name__: "up" });
    // What JavaScript would make a number of is none: of null it would be a zero.
    for (const none of [null, undefined, "1", new Date(), {}, true]) {
      await fails("invalid", () => db.append(up, [START, none], [1, 2]), /timestamps\[1\] is /);
      await fails("invalid", () => db.append(up, [START, START + 1], [1, none]), /values\[1\] is /);
      await fails("invalid", () => db.appendRow([up], START, [none]), /values\[0\] is /);
    }
    // biome-ignore lint/suspicious/noSparseArray: the hole is what is refused.
    await fails("invalid", () => db.append(up, [START, , START + 2], [1, 2, 3]), /timestamps\[1\] is undefined/);
    for (const signal of [5, {}, "stop"]) {
      for (const call of [
        () => db.flush({ signal }),
        () => db.select("up", { signal }),
        async () => db.export("up", { signal }),
        () => db.ingest("", { format: "jsonl", signal }),
      ]) {
        await fails("invalid", call, /signal/);
      }
    }
    await fails("invalid", () => db.select("up", START), /range/);
    await fails("not_found", () => db.inspectPart(1000, null));
    await fails("invalid", () => db.ingest("up 1", { format: "prometheus", timestamp: "now" }), /timestamp/);
    const streamOf = (...chunks) =>
      new ReadableStream({
        pull: (controller) => {
          if (chunks.length > 1) controller.enqueue(chunks.shift());
          else controller.error(chunks[0]);
        },
      });
    await fails("invalid", () => db.ingest(streamOf("up 1", null), { format: "prometheus" }), /string.*TextEncoderStream/);
    const broken = streamOf(new TextEncoder().encode("before 1\nbef"), new Error("the line was cut"));
    await fails("invalid", () => db.ingest(broken, { format: "prometheus", timestamp: START }), /the line was cut/);
    const taken = streamOf(null);
    taken.getReader();
    await fails("invalid", () => db.ingest(taken, { format: "prometheus" }), /locked/i);
    await db.flush();
    equal(
      (await db.select(EVERY_SERIES)).map(({ labels, values }) => [labels.__name__, ...values]),
      [["before", 1]],
    );
  },

  async "handles belong to one database"({ open }) {
    const [one, other] = [await open(), await open()];
    const handle = one.series({ __name__: "up" });
    await fails("invalid", () => other.append(handle, [START], [1]), /another database/);
    await fails("invalid", () => other.appendRow([handle], START, [1]), /another database/);
  },

  async "a block shows how its numbers were made small"({ open }) {
    const db = await open();
    const times = Float64Array.from({ length: 500 }, (_, n) => START + n * 1000);
    await db.append(
      { __name__: "a", kind: "counter" },
      times,
      Float64Array.from(times, (_, n) => 1000 + n * n),
    );
    await db.append(
      { __name__: "b", kind: "gauge" },
      times,
      Float64Array.from(times, (_, n) => 20 + ((n * 7) % 13) / 4),
    );
    await db.append(
      { __name__: "c", kind: "constant" },
      times,
      Float64Array.from(times, () => 42.5),
    );
    await db.flush();
    const [{ id, blocks, bytes, rows }] = (await db.inspect()).partitions[0].parts;
    const details = await db.inspectPart(id);
    equal([details.partition, details.blocks, blocks, rows], ["2024_03", 3, 3, 1500]);
    equal(
      details.fileBytes.reduce((sum, size) => sum + size),
      bytes,
    );
    ok(
      details.headers.every((header, i) => i === 0 || header.tsid > details.headers[i - 1].tsid),
      "by TSID",
    );
    equal((await db.inspectPart(id, { from: 1, count: 1 })).headers, [details.headers[1]]);
    const found = {};
    for (let at = 0; at < 3; at++) {
      const block = await db.inspectBlock(id, at);
      equal(block.header, details.headers[at]);
      equal(block.headerBytes.length, 81);
      const last = block.headerFields.at(-1);
      equal([last.name, last.offset + last.length], ["precisionBits", 81]);
      const field = (name) => {
        const { offset, length } = block.headerFields.find((other) => other.name === name);
        return block.headerBytes.subarray(offset, offset + length).reduce((sum, byte) => sum * 256 + byte, 0);
      };
      equal(
        [field("rowsCount"), field("valuesBlockSize"), field("valuesMarshalType")],
        [500, block.mantissas.bytes.length, block.header.valuesType],
      );
      equal(Float64Array.from(block.timestamps.integers, Number), times);
      equal(
        block.values,
        Float64Array.from(block.mantissas.integers, (mantissa) => Number(mantissa) / 10 ** -block.header.scale),
      );
      equal(block.values, (await db.select(block.header.labels.__name__))[0].values);
      equal([block.timestamps.marshalType, block.timestamps.course.kind, block.timestamps.sizes.varints], ["deltaConst", "deltaConst", 2]);
      equal(block.mantissas.sizes, { integers: 4000, varints: block.mantissas.varints.length, stored: block.mantissas.bytes.length });
      found[block.header.labels.kind] = block.mantissas;
    }
    equal([found.constant.marshalType, found.constant.course.kind, found.constant.bytes.length], ["const", "const", 0]);
    equal([found.counter.course, found.counter.varints.length], [{ kind: "counter", resets: 0 }, 499]);
    equal([found.counter.marshalType, found.counter.zstd], ["zstdNearestDelta2", "kept"]);
    equal([found.gauge.course.kind, found.gauge.marshalType], ["falls", "zstdNearestDelta"]);
    ok(found.gauge.bytes.length < found.gauge.varints.length * 0.9);
    await fails("not_found", () => db.inspectBlock(id, 3), /3 blocks/);
    await fails("not_found", () => db.inspectPart(id + 1000));
    await fails("invalid", () => db.inspectBlock(id, -1), /block/);
    await fails("invalid", () => db.inspectPart("first"), /part/);
  },

  async "a block of the index shows its items"({ open }) {
    const db = await open();
    await db.append({ __name__: "up", job: "node" }, [START], [1]);
    await db.flush();
    const { tables } = (await db.inspect()).index;
    const block = await db.inspectIndexBlock(0, 0, 0);
    equal([block.items.length, tables[0].parts[0].blocks], [tables[0].parts[0].items, 1]);
    ok(block.dir.includes(tables[0].name));
    equal(block.items, block.items.toSorted());
    const text = (word) => [...new TextEncoder().encode(word)].map((byte) => byte.toString(16)).join("");
    // Tag rows of all days and of one (index-format §5): label, value, metric id.
    const row = new RegExp(`^(01|06.{16})${text("job")}01${text("node")}01.{16}$`);
    equal(
      block.items.filter((item) => row.test(item)).map((item) => item.slice(0, 2)),
      ["01", "06"],
    );
    await fails("not_found", () => db.inspectIndexBlock(0, 0, 1), /block 1/);
    await fails("not_found", () => db.inspectIndexBlock(0, 99, 0), /part 99/);
    await fails("invalid", () => db.inspectIndexBlock(0, 0, "x"), /block/);
  },

  async "the state tells what a reading has cost and what merging has written"({ open }) {
    const db = await open();
    const started = [];
    db.observe((event) => event.type === "mergeStarted" && event.reason === "background" && started.push(event));
    equal((await db.inspect()).lastRead, null);
    for (let round = 0; round < 12; round++) {
      await db.append({ __name__: "up" }, [START + round * 1000, START + round * 1000 + 1], [round, round]);
      await db.flush();
    }
    const found = await db.select("up", { start: START + 1000, end: START + 1000 });
    equal(found[0].values, Float64Array.of(1));
    const { lastRead } = await db.inspect();
    equal([lastRead.series, lastRead.parts, lastRead.blocks, lastRead.rows, lastRead.samples], [1, 1, 1, 2, 1]);
    await db.tick(30_000);
    const [{ merged, looks, nextRawRowsFlush, nextDiskFlush }] = (await db.inspect()).partitions;
    ok(merged.flushes.rows + merged.merges.rows >= 24 && merged.flushes.bytes + merged.merges.bytes > 0, JSON.stringify(merged));
    ok(merged.putOff > 0 && looks.every((look) => look.minGain >= 1.7), JSON.stringify(looks));
    ok(nextRawRowsFlush > db.now() && nextRawRowsFlush <= db.now() + 1000 && nextDiskFlush <= db.now() + 5000);
    for (const { choice, sources } of started) {
      ok(sources.every((part) => choice.considered.includes(part)) && choice.gain >= choice.minGain);
      equal(
        choice.consideredBytes,
        choice.consideredBytes.toSorted((a, b) => a - b),
      );
    }
    ok(started.length > 0);
  },

  async "a row adds one sample to each of many series"({ open }) {
    const db = await open();
    const handles = Array.from({ length: 300 }, (_, i) => db.series({ __name__: "row", i: String(i).padStart(3, "0") }));
    for (let n = 0; n < 20; n++) {
      await db.appendRow(handles, START + n * 1000, n % 2 ? handles.map((_, i) => i * n) : Float64Array.from(handles, (_, i) => i * n));
    }
    await db.flush();
    const found = await db.select("row");
    equal(found.length, 300);
    found.forEach(({ labels, timestamps, values }, i) => {
      equal(Number(labels.i), i);
      equal(
        timestamps,
        Float64Array.from({ length: 20 }, (_, n) => START + n * 1000),
      );
      equal(
        values,
        Float64Array.from({ length: 20 }, (_, n) => i * n),
      );
    });
  },

  async "a column far longer than one call takes arrives whole"({ open }) {
    const db = await open({ startTime: START + 200_000_000 });
    const count = 100_001;
    await db.append(
      { __name__: "long" },
      Float64Array.from({ length: count }, (_, i) => START + i * 1000),
      Float64Array.from({ length: count }, (_, i) => i % 1000),
    );
    await db.flush();
    const [{ timestamps, values }] = await db.select("long");
    equal(timestamps.length, count);
    equal([timestamps[0], timestamps[count - 1]], [START, START + (count - 1) * 1000]);
    ok(values.every((value, i) => value === i % 1000));
    const bad = new Float64Array(40_000).fill(START);
    bad[39_999] = NaN;
    await fails("invalid", () => db.append({ __name__: "bad" }, bad, new Float64Array(40_000)));
  },

  async "who appends in a loop does not hold up the event loop"({ open }) {
    const db = await open({ clock: "real" });
    const up = db.series({ __name__: "up" });
    let beats = 0;
    const timer = setInterval(() => beats++, 1);
    const begin = performance.now();
    try {
      for (let n = 0; beats < 20; n++) {
        await db.append(up, [Date.now()], [n]);
        ok(performance.now() - begin < 10_000, `the event loop turned ${beats} times in ten seconds`);
      }
    } finally {
      clearInterval(timer);
    }
  },

  async "a body comes in every form, and bad lines cost nobody else"({ open }) {
    const db = await open();
    const body = ['ok{a="1"} 1', "broken{", "ok 2 x", "", "# HELP ok", 'ok{a="2"} 2', `ok{a="3"} 3 ${START - 5}`, "last 4"].join("\n");
    const bytes = new TextEncoder().encode(body);
    const chunked = (size) =>
      new ReadableStream({
        start(controller) {
          for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
          controller.close();
        },
      });
    const bodies = {
      string: body,
      bytes,
      buffer: bytes.buffer,
      blob: new Blob([bytes]),
      ones: chunked(1),
      sevens: chunked(7),
      whole: chunked(1e6),
    };
    for (const [form, of] of Object.entries(bodies)) {
      const result = await db.ingest(of, { format: "prometheus", timestamp: START, extraLabels: { form } });
      equal([result.samples, result.rejected], [4, 2], form);
      equal(
        result.errors.map(({ line }) => line),
        [2, 3],
        form,
      );
      ok(result.errors.every(({ message }) => message.length > 0));
    }
    await db.flush();
    for (const form of Object.keys(bodies)) {
      const found = await db.select(`{form="${form}"}`);
      equal(
        found.map(({ labels: { __name__, a }, timestamps, values }) => [__name__, a, timestamps[0] - START, values[0]]).sort(),
        [
          ["last", undefined, 0, 4],
          ["ok", "1", 0, 1],
          ["ok", "2", 0, 2],
          ["ok", "3", -5, 3],
        ].sort(),
        form,
      );
    }
  },

  async "a long body is taken in pieces, with the right numbers of lines"({ open }) {
    const db = await open();
    const count = 20_000;
    const body = Array.from({ length: count }, (_, i) => (i === 15_000 ? "broken{" : `long_body{i="${i % 50}"} ${i} ${START + i}`)).join(
      "\n",
    );
    const result = await db.ingest(body, { format: "prometheus" });
    equal([result.samples, result.rejected, result.errors[0].line], [count - 1, 1, 15_001]);
    const stopped = new AbortController();
    stopped.abort();
    await fails("aborted", () => db.ingest(body, { format: "prometheus", signal: stopped.signal }));
    await db.flush();
    equal(
      (await db.select("long_body")).reduce((sum, { values }) => sum + values.length, 0),
      count - 1,
    );
  },

  async "an export goes in again as JSON lines"({ open }) {
    const [from, to] = [await open(), await open()];
    await from.append({ __name__: "a", quote: 'say "hi"\n', umlaut: "ä" }, [START, START + 1], [0.1, -1e-9]);
    await from.append({ __name__: "b" }, [START], [7]);
    await from.flush();
    const exported = await text(from.export());
    equal(lines(exported).length, 2);
    const result = await to.ingest(exported, { format: "jsonl" });
    equal([result.samples, result.rejected, result.series], [3, 0, 2]);
    await to.flush();
    equal(await to.select(EVERY_SERIES), await from.select(EVERY_SERIES));
    equal(await text(to.export('{__name__="b"}')), await text(from.export("b")));
    equal(await text(to.export("no_such_series")), "");
  },

  async "an export can be given up"({ open }) {
    const db = await open();
    for (let i = 0; i < 20; i++) await db.append({ __name__: "x", i: String(i) }, [START], [i]);
    await db.flush();
    const reader = db.export().getReader();
    const { value } = await reader.read();
    ok(value instanceof Uint8Array);
    await reader.cancel();
    const stop = new AbortController();
    const stream = db.export(undefined, { signal: stop.signal });
    stop.abort();
    await fails("aborted", () => drain(stream));
    await fails("aborted", () => db.select("x", { signal: stop.signal }));
    await fails("invalid", () => drain(db.export("{broken")));
  },

  async "ranges hold both their ends, and selectors have four operators"({ open }) {
    const db = await open();
    for (const job of ["api", "db", "web"]) await db.append({ __name__: "up", job }, [START, START + 1000, START + 2000], [1, 2, 3]);
    await db.append({ __name__: "down", job: "db" }, [START], [0]);
    await db.flush();
    const jobs = async (selector, range) => (await db.select(selector, range)).map(({ labels }) => labels.job);
    equal(await jobs("up"), ["api", "db", "web"]);
    equal(await jobs('up{job="db"}'), ["db"]);
    equal(await jobs('up{job!="db"}'), ["api", "web"]);
    equal(await jobs('up{job=~"a.*|web"}'), ["api", "web"]);
    equal(await jobs('up{job!~"a.*|web"}'), ["db"]);
    equal((await db.select('up{job="db"}', { start: START + 1000, end: START + 2000 }))[0].values, Float64Array.of(2, 3));
    equal((await db.select('up{job="db"}', { start: START + 0.5, end: START + 1999.5 }))[0].values, Float64Array.of(2));
    equal(await db.select('up{job="db"}', { start: START + 1, end: START + 999 }), []);
    await fails("invalid", () => db.select("up{job="));
    await fails("invalid", () => db.select(undefined), /selector/);
    await fails("invalid", () => db.select("up", { start: NaN }), /start/);
    equal(await db.labels('{job="db"}'), [
      { __name__: "down", job: "db" },
      { __name__: "up", job: "db" },
    ]);
    equal((await db.labels()).length, 4);
    equal(await db.labelNames(), ["__name__", "job"]);
    equal(await db.labelValues("job"), ["api", "db", "web"]);
    equal(await db.labelValues("__name__", '{job="db"}'), ["down", "up"]);
  },

  async "time moves in tick alone, and what falls due runs"({ open }) {
    const db = await open({ startTime: START });
    equal(db.now(), START);
    await db.append({ __name__: "up" }, [START], [1]);
    equal(await db.select("up"), []);
    await db.tick(2500);
    equal(db.now(), START + 2500);
    equal((await db.select("up")).length, 1, "rows are searchable a second after they came");
    await db.tick(10_000);
    const [{ parts }] = (await db.inspect()).partitions;
    ok(parts.length === 1 && parts[0].class !== "inmemory", "parts are in files after five seconds");
    await fails("invalid", () => db.tick(-1));
    await fails("invalid", () => db.tick("1s"));
    const real = await open({ clock: "real" });
    ok(Math.abs(real.now() - Date.now()) < 1000);
    await fails("invalid", () => real.tick(1000), /manual/);
  },

  async "a real clock flushes by itself"({ open }) {
    const db = await open({ clock: "real" });
    const now = Date.now();
    await db.append({ __name__: "up" }, [now], [1]);
    const deadline = now + 5000;
    while ((await db.select("up")).length === 0) {
      ok(Date.now() < deadline, "nothing was flushed within five seconds");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  },

  async "a forced merge leaves one part in each partition that matches"({ open }) {
    const db = await open({ startTime: Date.UTC(2024, 3, 2) });
    for (let n = 0; n < 4; n++) {
      for (const month of [1, 2]) await db.append({ __name__: "up" }, [Date.UTC(2024, month, 3, n)], [n]);
      await db.flush();
    }
    const parts = async () => Object.fromEntries((await db.inspect()).partitions.map(({ name, parts }) => [name, parts.length]));
    equal(await parts(), { "2024_02": 4, "2024_03": 4 });
    await db.forceMerge("2024_02");
    equal((await parts())["2024_02"], 1);
    await db.forceMerge();
    equal(await parts(), { "2024_02": 1, "2024_03": 1 });
    equal((await db.select("up"))[0].values, Float64Array.of(0, 1, 2, 3, 0, 1, 2, 3));
  },

  async "de-duplication and retention follow the options"({ open }) {
    const db = await open({ dedupInterval: "10s", retention: "30d", startTime: START });
    await db.append(
      { __name__: "up" },
      [1, 2, 3, 11, 12].map((s) => START + s * 1000),
      [1, 2, 3, 4, 5],
    );
    await db.append({ __name__: "old" }, [START - 40 * 24 * 3600e3], [1]);
    await db.flush();
    await db.forceMerge();
    equal((await db.select("up"))[0].values, Float64Array.of(3, 5));
    equal(await db.select("old"), []);
    equal((await db.inspect()).config.dedupIntervalMs, 10_000);
  },

  async "observers see every step, and stop when they want"({ open }) {
    const db = await open();
    const [events, others] = [[], []];
    const stop = db.observe((event) => events.push(event));
    const stopOther = db.observe((event) => others.push(event.type));
    await db.append({ __name__: "up" }, [START], [1]);
    await db.flush();
    await db.append({ __name__: "up" }, [START + 1], [2]);
    await db.flush();
    await db.forceMerge();
    const types = events.map(({ type }) => type);
    for (const type of [
      "partitionCreated",
      "seriesRegistered",
      "rowsAdded",
      "rawRowsFlushed",
      "partCreated",
      "mergeStarted",
      "mergeFinished",
      "partRetired",
    ]) {
      ok(types.includes(type), `no ${type} among ${types.join(", ")}`);
    }
    ok(
      events.every(({ sequence }, i) => sequence === events[0].sequence + i),
      "no gap in the history",
    );
    equal(others, types);
    stop();
    stopOther();
    const seen = events.length;
    await db.append({ __name__: "up" }, [START + 2], [3]);
    await db.flush();
    equal(events.length, seen);
  },

  async "the state tells what is there"({ open }) {
    const db = await open();
    await db.append({ __name__: "up" }, [START, START + 1], [1, 2]);
    const waiting = await db.inspect();
    equal(waiting.partitions[0].name, "2024_03");
    equal(
      waiting.partitions[0].shards.reduce((sum, { rows }) => sum + rows, 0),
      2,
    );
    await db.sync();
    const state = await db.inspect();
    const [{ parts }] = state.partitions;
    equal(
      parts.reduce((sum, { rows }) => sum + rows, 0),
      2,
    );
    ok(parts.every(({ class: of, name, bytes }) => of === "small" && name.startsWith("2_1_20240310010000.000") && bytes > 0));
    equal([parts[0].minTimestamp, parts[0].maxTimestamp], [START, START + 1]);
    ok(state.index.tables.some(({ role, parts }) => role === "current" && parts.length > 0));
    ok(state.fileSystem.storedBytes > 0 && state.memory.wasmBytes > 0);
    equal(state.clock, "manual");
    // Work that every browser's clock can measure.
    const times = Float64Array.from({ length: 200_000 }, (_, i) => START + i);
    await db.append({ __name__: "long" }, times, times.map(Math.sin));
    await db.flush();
    const { scheduler } = await db.inspect();
    ok(scheduler.longestSliceMs > 0 && scheduler.slicesOver8Ms >= 0);
  },

  async "snapshots are made, listed, kept and deleted"({ open }) {
    const db = await open();
    await db.append({ __name__: "up" }, [START], [1]);
    equal(await db.snapshots.list(), []);
    const first = await db.snapshots.create();
    ok(/^\d{14}-[0-9A-F]+$/.test(first), first);
    const second = await db.snapshots.create();
    ok(first !== second);
    equal(await db.snapshots.list(), [first, second].sort());
    await db.snapshots.delete(first);
    equal(await db.snapshots.list(), [second]);
    await db.snapshots.deleteAll();
    equal(await db.snapshots.list(), []);
  },

  async "a snapshot comes as a tar of what a server wants"({ open }) {
    const db = await open();
    for (let n = 0; n < 3; n++) {
      await db.append({ __name__: "up" }, [START + n], [n]);
      await db.flush();
    }
    const name = await db.snapshots.create();
    // What comes later is not in it.
    await db.append({ __name__: "later" }, [START], [1]);
    await db.forceMerge();
    const tar = new Uint8Array(await new Response(db.snapshots.download(name)).arrayBuffer());
    const files = readTar(tar);
    const paths = Object.keys(files);
    ok(
      paths.every((path) => /^(data|indexdb|metadata)\//.test(path)),
      paths.join("\n"),
    );
    ok(
      paths.some((path) => /^data\/small\/2024_03\/\d+_\d+_[\d.]+_[\d.]+_[0-9A-F]{16}\/timestamps\.bin$/.test(path)),
      paths.join("\n"),
    );
    ok(
      paths.some((path) => /^indexdb\/[0-9A-F]{16}\/\d+_\d+_[0-9A-F]{16}\/metadata\.json$/.test(path)),
      paths.join("\n"),
    );
    equal(tar.length % 512, 0);
    equal(readTar(new Uint8Array(await new Response(db.snapshots.download(name)).arrayBuffer())), files, "twice the same");
    const reader = db.snapshots.download(name).getReader();
    await reader.read();
    await reader.cancel();
    await fails("not_found", () => drain(db.snapshots.download("20240101000000-1")));
  },

  async "requests are answered in the server's words"({ open }) {
    const db = await open({ authKeys: { forceMerge: "secret" } });
    await db.append({ __name__: "up" }, [START], [1]);
    const json = async (...request) => (await db.fetch(...request)).json();
    const { status, snapshot } = await json("/snapshot/create");
    equal(status, "ok");
    equal(await json(new URL("http://localhost:8428/snapshot/list")), { status: "ok", snapshots: [snapshot] });
    equal(await json(`/snapshot/delete?snapshot=${snapshot}`), { status: "ok" });
    await json("/snapshot/create");
    equal(await json(new Request("http://localhost/snapshot/delete_all", { method: "POST" })), { status: "ok" });
    equal(await db.snapshots.list(), []);
    const flushed = await db.fetch("/internal/force_flush");
    equal([flushed.status, await flushed.text()], [200, ""]);
    equal((await db.fetch("/internal/force_merge")).status, 400);
    equal((await db.fetch("/internal/force_merge?authKey=secret&partition_prefix=2024")).status, 200);
    equal((await db.fetch("/internal/force_merge", { method: "POST", body: new URLSearchParams({ authKey: "secret" }) })).status, 200);
    // A form in parts says the same as one that is encoded as URLs are; what holds a file is a body of samples.
    const form = new FormData();
    form.set("query", "1 + 2");
    equal((await json("/api/v1/query", { method: "POST", body: form })).data.result[0].value[1], "3");
    const samples = new FormData();
    samples.set("file", new Blob(["in_a_file 7\n"]));
    const send = () => db.fetch("/api/v1/import/prometheus", { method: "POST", body: samples });
    // WebKit lets no script read such a form.
    if (await new Response(samples).arrayBuffer().catch(() => undefined)) {
      equal((await send()).status, 204);
      equal(
        (await db.select("in_a_file", { fresh: true })).map(({ values }) => [...values]),
        [[7]],
      );
    } else await fails("invalid", send, /form data/);
    const unknown = await db.fetch("/no/such/path");
    equal(unknown.status, 400);
    ok((await unknown.text()).includes('unsupported path requested: "/no/such/path"'));
    await fails("invalid", () => db.fetch("http://["));
  },

  async "what is handed in stays the caller's, and may be changed at once"({ open }) {
    const db = await open();
    const [times, bigTimes, values] = [Float64Array.of(START, START + 1), BigInt64Array.of(BigInt(START)), Float64Array.of(1, 2)];
    const long = new Float64Array(20_000).fill(START);
    const handles = [db.series({ __name__: "row" })];
    const body = new TextEncoder().encode("line 7");
    const accepted = [
      db.append({ __name__: "column" }, times, values),
      db.append({ __name__: "big" }, bigTimes, [3]),
      db.appendRow(handles, START, values.subarray(1)),
      db.append({ __name__: "long" }, long, new Float64Array(20_000)),
    ];
    for (const { buffer } of [times, bigTimes, values, long]) ok(buffer.byteLength > 0 && !buffer.detached);
    for (const column of [times, values]) column.fill(NaN);
    bigTimes.fill(0n);
    handles.length = 0;
    await Promise.all(accepted);
    await db.ingest(body, { format: "prometheus", timestamp: START });
    equal(new TextDecoder().decode(body), "line 7");
    await db.flush();
    equal((await db.select("column"))[0], {
      labels: { __name__: "column" },
      timestamps: Float64Array.of(START, START + 1),
      values: Float64Array.of(1, 2),
    });
    equal((await db.select("big"))[0].timestamps, Float64Array.of(START));
    equal((await db.select("row"))[0].values, Float64Array.of(2));
    equal((await db.select("line"))[0].values, Float64Array.of(7));
  },

  async "a long label value is cut as the server cuts it, and series whose labels are too large together are refused"({ open }) {
    const db = await open();
    await db.append({ __name__: "long", a: "x".repeat(70_000) }, [START], [1]);
    await db.flush();
    equal(
      (await db.select("long")).map(({ labels }) => labels.a.length),
      [16_384],
    );
    const large = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`a${i}`, "x".repeat(16_384)]));
    // With the engine in a worker the refusal comes with what is asked next.
    const refused = async () => {
      await db.append({ __name__: "large", ...large }, [START], [1]);
      await db.flush();
    };
    await fails("invalid", refused, /at most 65472 bytes together/);
    await db.append({ __name__: "long", a: "y" }, [START], [1]).catch(({ code }) => equal(code, "invalid"));
    await db.flush();
    equal((await db.select("large")).length, 0);
  },

  async "many small appends at once are all there, and a bad one costs nobody else"({ open }) {
    const db = await open();
    const handles = Array.from({ length: 100 }, (_, i) => db.series({ __name__: "small", i: String(i) }));
    const outcomes = [];
    for (let n = 0; n < 200; n++) {
      for (const [i, handle] of handles.entries()) if (n % 2) outcomes.push(db.append(handle, [START + n], [i]));
      if (n % 2 === 0)
        outcomes.push(
          db.appendRow(
            handles,
            START + n,
            handles.map((_, i) => i),
          ),
        );
    }
    const bad = Promise.allSettled([
      db.append(handles[0], [NaN], [1]),
      db.append(handles[0], [1n], [1]),
      db.appendRow(handles.slice(1, 2), START, [1n]),
    ]);
    outcomes.push(db.append(handles[0], [START + 200], [0]));
    await Promise.all(outcomes);
    const [noInstant, ...noNumbers] = (await bad).map(({ reason }) => reason);
    await fails("invalid", () => Promise.reject(noInstant), /timestamps\[0\] is NaN/);
    for (const reason of noNumbers) await fails("invalid", () => Promise.reject(reason), /BigInt64Array/);
    await db.flush();
    const found = await db.select("small");
    equal(found.length, 100);
    found.forEach(({ labels, values }) => equal([values.length, values[7]], [labels.i === "0" ? 201 : 200, Number(labels.i)]));
  },

  async "every long call can be given up"({ open }) {
    const db = await open();
    const times = Float64Array.from({ length: 30_000 }, (_, i) => START + i * 1000);
    for (let i = 0; i < 8; i++) await db.append({ __name__: "x", i: String(i) }, times, times);
    await db.flush();
    const snapshot = await db.snapshots.create();
    const part = (await db.inspect()).partitions[0].parts[0].id;
    const jobs = async () => (await db.inspect()).scheduler.lanes.find(({ lane }) => lane === "query").jobs;
    const jobsBefore = await jobs();
    /** A body of which nothing more comes. */
    const stalled = () => new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode("x 1\nx 2")) });
    const reads = {
      select: (options) => db.select("x", options),
      labels: (options) => db.labels("x", options),
      labelNames: (options) => db.labelNames("x", options),
      labelValues: (options) => db.labelValues("i", "x", options),
      export: (options) => drain(db.export("x", options)),
      list: (options) => db.snapshots.list(options),
      download: (options) => drain(db.snapshots.download(snapshot, options)),
      inspect: (options) => db.inspect(options),
      inspectPart: (options) => db.inspectPart(part, options),
      inspectBlock: (options) => db.inspectBlock(part, 0, options),
      inspectIndexBlock: (options) => db.inspectIndexBlock(0, 0, 0, options),
    };
    const changes = {
      flush: (options) => db.flush(options),
      sync: (options) => db.sync(options),
      tick: (options) => db.tick(1000, options),
      forceMerge: (options) => db.forceMerge("", options),
      create: (options) => db.snapshots.create(options),
      delete: (options) => db.snapshots.delete(snapshot, options),
      deleteAll: (options) => db.snapshots.deleteAll(options),
      ingest: (options) => db.ingest(stalled(), { format: "prometheus", timestamp: START, ...options }),
      fetch: (options) => db.fetch("/internal/force_flush", options),
    };
    for (const call of Object.values({ ...reads, ...changes })) {
      await fails("aborted", () => call({ signal: AbortSignal.abort() }), /given up/);
      const meanwhile = new AbortController();
      const called = call({ signal: meanwhile.signal });
      meanwhile.abort();
      await fails("aborted", () => called, /given up/);
    }
    for (const delay of [0, 1, 2, 5]) {
      const later = new AbortController();
      const called = Promise.allSettled([db.select("x", { signal: later.signal }), drain(db.export("x", { signal: later.signal }))]);
      setTimeout(() => later.abort(), delay);
      for (const { reason } of await called) ok(reason === undefined || reason.code === "aborted", String(reason));
    }
    // What changes something goes on, for a while.
    for (let n = 0; (await jobs()) > jobsBefore; n++) {
      ok(n < 1000, "a job is left behind");
      await db.tick(10);
    }
    equal((await db.select('x{i="0"}'))[0].values.length, 30_000);
  },

  async "what is not built says so"({ open, sandglass, thread }) {
    const db = await open();
    await fails("invalid", () => db.ingest("", { format: "xml" }), /xml/);
    await fails("invalid", () => db.ingest(7, { format: "jsonl" }));
    if (thread === "caller") await fails("unsupported", () => sandglass.open({ storage: "opfs" }), /file system|worker/);
    for (const options of [
      { storage: "disk" },
      { clock: "fast" },
      { retention: "soon" },
      { dedupInterval: -1 },
      { ifLocked: "?" },
      { name: "" },
      { startTime: NaN },
      { precisionBits: 65 },
    ]) {
      await fails("invalid", () => sandglass.open({ storage: "memory", ...options }));
    }
    await fails("unsupported", () => sandglass.open({ storage: "memory", wasm: new Uint8Array([1, 2, 3]) }), /engine/);
  },

  async "a closed database refuses everything, and closing again is no error"({ open }) {
    const db = await open();
    const up = db.series({ __name__: "up" });
    const stream = db.export();
    const pending = db.flush();
    const closing = db.close();
    await closing;
    await pending;
    await db.close();
    await fails("closed", () => db.append(up, [START], [1]));
    await fails("closed", () => db.appendRow([up], START, [1]));
    await fails("closed", () => db.series({ __name__: "up" }));
    await fails("closed", () => db.ingest("up 1", { format: "prometheus", timestamp: START }));
    await fails("closed", () => drain(stream));
    for (const call of ["flush", "sync", "forceMerge", "labels", "labelNames", "inspect", "now"]) await fails("closed", () => db[call]());
    await fails("closed", () => db.select("up"));
    await fails("closed", () => db.tick(1));
    await fails("closed", () => db.snapshots.create());
    await fails("closed", () => db.fetch("/snapshot/list"));
    const disposed = await open();
    await disposed[Symbol.asyncDispose]();
    await fails("closed", () => disposed.flush());
  },

  async "several databases share nothing but the code"({ open }) {
    const [one, other] = [await open(), await open()];
    await one.append({ __name__: "only_here" }, [START], [1]);
    await one.flush();
    equal(await other.labels(), []);
    await one.close();
    await other.append({ __name__: "still_there" }, [START], [1]);
    await other.flush();
    equal((await other.select("still_there")).length, 1);
  },
};

/** What storage that outlives the page promises, beside all of the above. */
export const STORED_TESTS = {
  ...STORED_EXPECTATIONS,

  async "what was closed is there when it is opened again"({ open, sandglass, name }) {
    const db = await open({ name });
    const everything = await fillStored(db);
    const snapshot = await db.snapshots.create();
    await db.close();
    ok((await sandglass.databases()).includes(name));
    const again = await open({ name });
    equal(await again.select(EVERY_SERIES), everything);
    equal(await again.snapshots.list(), [snapshot]);
    await again.append({ __name__: "stored", i: "0" }, [START + 1e6], [99]);
    await again.close();
    await sandglass.destroy(name);
    ok(!(await sandglass.databases()).includes(name));
    const empty = await open({ name });
    equal(await empty.labels(), []);
    await empty.close();
    await sandglass.destroy(name);
  },

  async "one writer at a time"({ open, sandglass, name }) {
    const db = await open({ name });
    await fails("locked", () => open({ name, ifLocked: "fail" }), /in this page/);
    await fails("locked", () => sandglass.destroy(name));
    const given = new AbortController();
    const givenUp = open({ name, ifLocked: "wait", signal: given.signal });
    setTimeout(() => given.abort(), 20);
    await fails("aborted", () => givenUp);
    await fails("locked", () => open({ name, ifLocked: "wait", lockTimeout: 50 }), /50 ms/);
    await fails("invalid", () => open({ name, lockTimeout: "a while" }), /lockTimeout/);
    const waiting = open({ name, ifLocked: "wait", lockTimeout: "1m" });
    await db.append({ __name__: "first" }, [START], [1]);
    await db.close();
    const next = await waiting;
    equal((await next.select("first")).length, 1);
    await next.close();
    await sandglass.destroy(name);
    await sandglass.destroy(`${name}-that-never-was`);
  },

  async "a reader beside the writer sees what is durable and changes nothing"({ open, sandglass, name }) {
    const writer = await open({ name });
    const reader = await open({ name, ifLocked: "readonly" });
    equal([writer.opened.role, reader.opened.role], ["writer", "reader"]);
    equal(await reader.select(EVERY_SERIES), []);
    const everything = await fillStored(writer);
    equal(await reader.select(EVERY_SERIES), everything);
    const snapshot = await writer.snapshots.create();
    equal(await reader.snapshots.list(), [snapshot]);
    const tarOf = async (db) => readTar(new Uint8Array(await new Response(db.snapshots.download(snapshot)).arrayBuffer()));
    equal(await tarOf(reader), await tarOf(writer));
    equal(await text(reader.export()), await text(writer.export()));
    ok((await reader.inspect()).config.readOnly);

    const refused = {
      series: () => reader.append({ __name__: "new" }, [START], [1]),
      ingest: () => reader.ingest("new 1\n", { format: "prometheus" }),
      flush: () => reader.flush(),
      sync: () => reader.sync(),
      forceMerge: () => reader.forceMerge(),
      create: () => reader.snapshots.create(),
      delete: () => reader.snapshots.delete(snapshot),
      deleteAll: () => reader.snapshots.deleteAll(),
    };
    for (const change of Object.values(refused)) await fails("locked", change, /for reading only/);
    equal((await reader.fetch("/snapshot/create")).status, 500);
    equal((await (await reader.fetch("/snapshot/list")).json()).snapshots, [snapshot]);

    // What it has read from is merged away beneath it.
    await writer.append({ __name__: "stored", i: "0" }, [START + 1e6], [99]);
    await writer.forceMerge();
    await writer.tick(60_000);
    await writer.sync();
    const more = await writer.select(EVERY_SERIES);
    equal(await reader.select(EVERY_SERIES), more);
    await writer.snapshots.deleteAll();
    equal(await reader.snapshots.list(), []);

    // It stays what it is when the writer is gone.
    await writer.close();
    equal(await reader.select(EVERY_SERIES), more);
    await fails("locked", refused.sync);
    await fails("locked", () => sandglass.destroy(name));
    const next = await open({ name, ifLocked: "readonly" });
    equal(next.opened.role, "writer");
    await reader.close();
    await next.close();
    await sandglass.destroy(name);
  },
};

/** Some series of several months. Returns what `select` finds of them. */
export async function fillStored(db) {
  for (let i = 0; i < 50; i++) {
    const timestamps = Float64Array.from({ length: 400 }, (_, n) => START - (n * 7 + i) * 3600_000 * 0.9);
    await db.append(
      { __name__: "stored", i: String(i) },
      timestamps,
      Float64Array.from(timestamps, (_, n) => Math.round(Math.sin(n + i) * 1000) / 8),
    );
  }
  await db.sync();
  return db.select(EVERY_SERIES);
}

/**
 * Runs one test with databases of its own, which are closed and removed behind it. `thread` tells where the engine should be:
 * "worker" or "caller".
 */
export async function runTest(sandglass, group, title, storage, thread) {
  const databases = [];
  const name = `${RUN}-${opened++}`;
  const open = async (options = {}) => {
    const own = { name: `${RUN}-${opened++}`, storage, retention: "100y", clock: "manual", startTime: START + 24 * 3600_000, ...options };
    if (own.clock === "real") delete own.startTime;
    const db = await sandglass.open(own);
    databases.push([db, own.name]);
    return db;
  };
  try {
    await { TESTS, STORED_TESTS }[group][title]({ sandglass, open, thread, storage, name });
  } finally {
    for (const [db, name] of databases) {
      await db.close();
      if (storage !== "memory") await sandglass.destroy(name);
    }
  }
}

/** Path -> bytes of the files in a tar of the ustar format. */
function readTar(tar) {
  const files = {};
  const decoder = new TextDecoder();
  const field = (at, length) => decoder.decode(tar.subarray(at, at + length)).replace(/\0.*$/s, "");
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const [name, size, type, prefix] = [field(at, 100), parseInt(field(at + 124, 12), 8), field(at + 156, 1), field(at + 345, 155)];
    ok(type === "0", `an entry of type ${type}`);
    files[prefix ? `${prefix}/${name}` : name] = tar.slice(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}
