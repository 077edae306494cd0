// What people take for granted who come from elsewhere, as tests of the contract: nothing is lost, dropped or misread without a word.

import { equal, fails, ok } from "./assert.mjs";

/** As the databases of these tests begin a day later. */
const START = Date.UTC(2024, 2, 10, 1);
const DAY = 24 * 3600_000;

/** A proxy as frameworks make them: of everything that is reached through it, whatever it is. */
function deepProxy(target) {
  return new Proxy(target, {
    get(object, key, receiver) {
      const value = Reflect.get(object, key, receiver);
      const isFixed = Object.getOwnPropertyDescriptor(object, key)?.configurable === false;
      return typeof value === "object" && value !== null && !isFixed ? deepProxy(value) : value;
    },
  });
}

const text = (stream) => new Response(stream).text();

/** Whether this engine's stacks show who waits for what has failed: those of Firefox and WebKit end where the answer came in, though they have captureStackTrace. */
async function tellsWhoWaits() {
  const answer = async () => {
    await null;
    const error = new Error("asked");
    Error.captureStackTrace?.(error);
    return error.stack;
  };
  const asking = async function theirQuestion() {
    return await answer();
  };
  return (await asking()).includes(asking.name);
}

export const EXPECTATIONS = {
  async "unknown options are refused by name, with the nearest right one"({ sandglass }) {
    const open = (options) => sandglass.open({ storage: "memory", ...options });
    for (const [slip, meant] of [
      ["nmae", "name"],
      ["retenton", "retention"],
      ["dedupinterval", "dedupInterval"],
      ["dedup_interval", "dedupInterval"],
      ["iflocked", "ifLocked"],
    ]) {
      await fails("invalid", () => open({ [slip]: "1y" }), new RegExp(`"${slip}"; did you mean ${meant}\\?`));
    }
    await fails("invalid", () => open({ wibblywobbly: 1 }), /"wibblywobbly"; there are .*name, /);
    await fails("invalid", () => open({ authKeys: { snapshots: "x" } }), /authKeys.*"snapshots"; did you mean snapshot\?/);
    await (await open({ retention: undefined, signal: undefined })).close();
  },

  async "an error prints as what it is, and has no properties that say nothing"({ open }) {
    const db = await open();
    const error = await fails("invalid", () => db.query("sum("));
    equal([error.name, error.constructor.name, Object.keys(error).sort()], ["SandglassError", "SandglassError", ["code", "name"]]);
    for (const [append, words] of [
      [[[new Date(START)], [1]], /timestamps\[0\] is a Date; .*getTime/],
      [[[START], ["1"]], /values\[0\] is the text "1"; a number is expected/],
    ])
      await fails("invalid", () => db.append({ __name__: "wrong" }, ...append), words);
  },

  async "the stack of an error leads to the line that has asked"({ open }) {
    const db = await open();
    const theirs = [
      async function theirQuery() {
        await db.query("sum(");
      },
      async function theirSelect() {
        await db.select("{");
      },
      async function theirDelete() {
        await db.snapshots.delete("none");
      },
    ];
    for (const call of theirs) {
      const { stack } = await fails("invalid", call);
      if (await tellsWhoWaits()) ok(stack.includes(call.name), stack);
    }
  },

  async "calls refuse options that they don't know, too, before anything is done"({ open, sandglass }) {
    const db = await open();
    const range = { start: 0, end: 1000 };
    const calls = [
      ["openSnapshot", "cachebytes", "cacheBytes", (slip) => sandglass.openSnapshot(new Uint8Array(1024), slip)],
      ["restore", "onprogress", "onProgress", (slip) => db.snapshots.restore(new Uint8Array(1024), slip)],
      ["download", "layuot", "layout", (slip) => db.snapshots.download("20240310010000-0000000000000001", slip)],
      ["select", "strat", "start", (slip) => db.select("up", slip)],
      ["labels", "endd", "end", (slip) => db.labels("up", slip)],
      ["labelNames", "strat", "start", (slip) => db.labelNames("up", slip)],
      ["labelValues", "singal", "signal", (slip) => db.labelValues("job", "up", slip)],
      ["count", "frehs", "fresh", (slip) => db.count("up", slip)],
      ["export", "strat", "start", (slip) => db.export("up", slip)],
      ["query", "tiem", "time", (slip) => db.query("up", slip)],
      ["queryRange", "dialetc", "dialect", (slip) => db.queryRange("up", { ...range, step: 100, ...slip })],
      ["live", "evrey", "every", (slip) => new Promise((_, fail) => db.live("up", { range: "1m", step: "1s", ...slip }, () => {}, fail))],
      ["latest", "witin", "within", (slip) => db.latest("up", slip)],
      ["envelope", "colums", "columns", (slip) => db.envelope("up", { ...range, columns: 1, ...slip })],
      ["ingest", "timestmap", "timestamp", (slip) => db.ingest("up 1\n", { format: "prometheus", ...slip })],
      ["inspectPart", "form", "from", (slip) => db.inspectPart(0, slip)],
      ["push", "selectr", "selector", (slip) => db.push("http://127.0.0.1:1/", slip)],
    ];
    for (const [call, slip, meant, run] of calls) {
      await fails("invalid", async () => run({ [slip]: 1 }), new RegExp(`^${call}\\(\\) .*"${slip}"; did you mean ${meant}\\?$`));
    }
    await db.flush();
    equal(await db.count(), 0);
    await fails("invalid", () => db.query("up", 5), /the options of query\(\) must be an object, not number/);
    equal(await db.select("up", { start: undefined, signal: undefined }), []);
  },

  async "a count that is to be fresh has what was just appended"({ open }) {
    const db = await open();
    db.append({ __name__: "up" }, [db.now()], [1]);
    equal(await db.count("up", { fresh: true }), 1);
  },

  async "a call that is taken back fails as an AbortError, with the signal's reason"({ open, sandglass }) {
    const db = await open();
    const check = async (run, reason) => {
      const error = await fails("aborted", run);
      equal(error.name, "AbortError");
      ok(error instanceof sandglass.SandglassError && error instanceof Error);
      ok(reason === undefined || error.cause === reason, `the cause is ${String(error.cause)}`);
    };
    const reason = new Error("the user has left");
    const calls = {
      open: (signal) => sandglass.open({ storage: "memory", signal }),
      select: (signal) => db.select("up", { signal }),
      fresh: (signal) => db.select("up", { signal, fresh: true }),
      flush: (signal) => db.flush({ signal }),
      ingest: (signal) => db.ingest("up 1", { format: "prometheus", timestamp: START, signal }),
      inspect: (signal) => db.inspect({ signal }),
      export: (signal) => db.export("up", { signal }).getReader().read(),
      deleteSeries: (signal) => db.deleteSeries("up", { signal }),
    };
    for (const call of Object.values(calls)) {
      await check(() => call(AbortSignal.abort(reason)), reason);
      // In the same task as the call.
      const control = new AbortController();
      const called = call(control.signal);
      control.abort(reason);
      await check(() => called, reason);
    }
    for (const turns of [1, 2, 3, 5]) {
      const control = new AbortController();
      const called = calls.open(control.signal);
      for (let n = 0; n < turns; n++) await null;
      control.abort(reason);
      await check(() => called, reason);
    }
  },

  async "of several values of one instant the same stays before and after a merge"({ open }) {
    const db = await open({ retention: "100y", dedupInterval: "15s" });
    for (const value of [123, 456, 99]) {
      await db.append({ __name__: "d" }, [START], [value]);
      await db.flush();
    }
    const kept = async () => [...(await db.select("d"))[0].values];
    equal(await kept(), [456]);
    await db.forceMerge();
    equal(await kept(), [456]);
  },

  async "a byte order mark is no part of the first name, and UTF-16 is read"({ open }) {
    const db = await open();
    const line = (name) => `\ufeff${name} 1 ${START}\n`;
    const utf16 = (text) => Uint16Array.from(text, (character) => character.charCodeAt(0));
    await db.ingest(line("text"), { format: "prometheus" });
    await db.ingest(new TextEncoder().encode(line("bytes")), { format: "prometheus" });
    await db.ingest(new Blob([line("blob")]), { format: "prometheus" });
    await db.ingest(new Blob([line("stream")]).stream(), { format: "prometheus" });
    await db.ingest(new Blob([utf16(line("utf16"))]), { format: "prometheus" });
    await db.ingest(new Uint8Array(utf16(line("wide")).buffer), { format: "prometheus" });
    await db.flush();
    const names = (await db.select('{__name__!=""}')).map(({ labels }) => labels.__name__);
    equal(names.sort(), ["blob", "bytes", "stream", "text", "utf16", "wide"]);
  },

  async "a body of any text format may come compressed"({ open }) {
    const db = await open();
    const zipped = (text) => new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
    for (const [format, text] of Object.entries({
      prometheus: `zipped{in="prometheus"} 1 ${START}\n`.repeat(3),
      jsonl: `{"metric":{"__name__":"zipped","in":"jsonl"},"values":[1,2,3],"timestamps":[${START},${START + 1},${START + 2}]}`,
      influx: `zipped,in=influx value=1 ${START}000000\n`.repeat(3),
    })) {
      const { samples, errors } = await db.ingest(zipped(text), { format });
      equal([format, samples, errors], [format, 3, []]);
    }
  },

  async "keys are not shown"({ open }) {
    const db = await open({ authKeys: { snapshot: "hunter2", forceMerge: "hunter3" } });
    const state = await db.inspect();
    equal(state.config.auth, { snapshot: true, forceFlush: false, forceMerge: true });
    ok(!/hunter/.test(JSON.stringify(state)));
    ok(!/hunter/.test(JSON.stringify(db)));
  },

  async "samples that are dropped are told with the likely cause, also to those who listen later"({ open }) {
    const db = await open({ retention: "1y" });
    await db.append({ __name__: "t" }, [START / 1000], [1]);
    await db.append({ __name__: "t" }, [START * 1000], [1]);
    await db.append({ __name__: "t" }, [START / 1000 + 1], [1]);
    await db.flush();
    const { ingested } = await db.inspect();
    equal([ingested.rejectedTooOld, ingested.rejectedTooNew], [2, 1]);
    const told = [];
    db.observe((event) => told.push(event));
    for (let n = 0; told.length < 2 && n < 100; n++) await db.flush();
    const dropped = told.filter(({ type }) => type === "samplesDropped");
    equal(
      dropped.map(({ reason, samples }) => [reason, samples]),
      [
        ["tooOld", 1],
        ["tooNew", 1],
      ],
    );
    ok(/look like seconds/.test(dropped[0].message) && /look like microseconds/.test(dropped[1].message), dropped[0].message);
    const line = `{"metric":{"__name__":"t"},"values":[1],"timestamps":[${Math.trunc(START / 1000)}]}`;
    const { samples, rejected, errors } = await db.ingest(line, { format: "jsonl" });
    equal([samples, rejected, errors.length, "line" in errors[0]], [0, 1, 1, false]);
    ok(/look like seconds/.test(errors[0].message), errors[0].message);
    // Many pieces are one body.
    const many = await db.ingest(`${line}\n`.repeat(3000), { format: "jsonl" });
    equal([many.rejected, many.errors.length], [3000, 1]);
  },

  async "the name stays wherever it comes among many labels, and cuts are counted and told"({ open }) {
    const db = await open();
    const many = Object.fromEntries(Array.from({ length: 34 }, (_, i) => [`k${i}`, "x"]));
    await db.append({ ...many, __name__: "wide" }, [START], [1]);
    await db.append({ __name__: "wide", ...many }, [START + 1], [2]);
    const json = (labels) => JSON.stringify({ metric: labels, values: [3], timestamps: [START + 2] });
    await db.ingest(json({ ...many, __name__: "wide" }), { format: "jsonl", extraLabels: { job: "app" } });
    await db.flush();
    const found = await db.select("wide");
    equal(
      found.map(({ labels, values }) => [labels.job, Object.keys(labels).length, values]),
      [
        ["app", 30, Float64Array.of(3)],
        [undefined, 30, Float64Array.of(1, 2)],
      ],
    );
    ok((await db.inspect()).ingested.labelsCut > 0);
    const told = [];
    db.observe(({ type, message }) => told.push([type, message]));
    for (let n = 0; told.length === 0 && n < 100; n++) await db.flush();
    equal(
      told.filter(([type]) => type === "labelsCut").map(([, message]) => /30 labels/.test(message)),
      [true],
    );
  },

  async "bytes that are no text in labels are told by an export"({ open }) {
    const db = await open();
    const body = Uint8Array.from('m{a="x?"} 1\n', (character) => (character === "?" ? 0xff : character.charCodeAt(0)));
    await db.ingest(body, { format: "prometheus", timestamp: START });
    ok((await text(db.export("m", { fresh: true }))).includes("\ufffd"));
    const told = [];
    db.observe(({ type }) => told.push(type));
    for (let n = 0; told.length === 0 && n < 100; n++) await db.flush();
    ok(told.includes("labelsNotUtf8"), told.join());
  },

  async "a fresh read finds what was accepted just before"({ open }) {
    const db = await open();
    const reads = {
      select: async (options) => (await db.select("up", options)).length,
      labels: async (options) => (await db.labels("up", options)).length,
      labelNames: async (options) => (await db.labelNames("up", options)).length / 2,
      labelValues: async (options) => (await db.labelValues("n", "up", options)).length,
      export: async (options) => (await text(db.export("up", options))).split("\n").length - 1,
      latest: async ({ fresh }) => (await db.latest("up", { within: "100y", fresh })).length,
      envelope: async ({ fresh }) => (await db.envelope("up", { start: START, end: START + 1, columns: 1, fresh })).series.length,
    };
    let n = 0;
    for (const [name, read] of Object.entries(reads)) {
      await db.append({ __name__: "up", n: String(n++) }, [START], [1]);
      const expected = name === "labelNames" ? 1 : n;
      equal(await read({ fresh: true }), expected, name);
      equal(await read({ start: START, end: START, fresh: true }), expected, name);
    }
    await fails("invalid", () => db.select("up", { fresh: "yes" }), /fresh/);
    await fails("invalid", () => db.latest("up", { fresh: "yes" }), /fresh/);
  },

  async "series are deleted, and counted"({ open }) {
    const db = await open();
    for (const n of ["1", "2", "3"]) await db.append({ __name__: "up", n }, [START], [1]);
    await db.append({ __name__: "down" }, [START], [1]);
    await db.flush();
    equal(await db.deleteSeries('up{n=~"1|2"}'), 2);
    equal(
      (await db.select('{__name__!=""}')).map(({ labels }) => labels),
      [{ __name__: "down" }, { __name__: "up", n: "3" }],
    );
    equal(await db.deleteSeries("up{n='1'}"), 0);
    await db.append({ __name__: "up", n: "1" }, [START + 1], [7]);
    equal((await db.select('up{n="1"}', { fresh: true }))[0].values, Float64Array.of(7));
    await fails("invalid", () => db.deleteSeries(""));
    await fails("invalid", () => db.deleteSeries());
  },

  async "it works behind a proxy, and by its methods alone"({ open }) {
    const db = await open();
    const handle = db.series({ __name__: "m", a: "1" });
    const proxied = deepProxy({ db, handle });
    await proxied.db.append(proxied.handle, [START], [1]);
    await proxied.db.appendRow(deepProxy([handle]), START + 1, [2]);
    await proxied.db.append(proxied.db.series({ __name__: "m", a: "1" }), deepProxy([START + 2]), deepProxy([3]));
    await proxied.db.flush();
    equal((await proxied.db.select("m"))[0].values, Float64Array.of(1, 2, 3));
    equal(proxied.db.storage, db.storage);
    const { append, flush, select } = db;
    await append(deepProxy({ __name__: "alone" }), [START], [1]);
    await flush();
    equal((await select("alone")).length, 1);
    // Vue leaves alone what is no plain object, array or collection.
    for (const [object, kind] of [
      [db, "SandglassDatabase"],
      [handle, "SandglassSeries"],
    ]) {
      equal(Object.prototype.toString.call(object), `[object ${kind}]`);
    }
    const other = await open();
    await fails("invalid", () => other.append(handle, [START], [1]), /another database/);
    await proxied.db.close();
    await fails("closed", () => db.flush());
  },

  async "files that lie elsewhere than a database's are refused"({ sandglass }) {
    const open = (files) => sandglass.open({ storage: "memory", files });
    const content = new Uint8Array(8);
    await fails("invalid", () => open([["backup.tar", content]]), /no data\/ or indexdb\/.*"backup\.tar".*unpacked/);
    await fails(
      "invalid",
      () => open([["20240401000000-17A1/data/small/2024_03/x/index.bin", content]]),
      /take "20240401000000-17A1\/" off/,
    );
    await fails(
      "invalid",
      () =>
        open([
          ["data/x", content],
          ["restore-in-progress", content],
        ]),
      /restore/,
    );
    await (await open([])).close();
  },
};

export const STORED_EXPECTATIONS = {
  async "retention and de-duplication stay as they were when they are left out"({ open, sandglass, name }) {
    const now = START + DAY;
    const inForce = async (options) => {
      const db = await open({ name, retention: undefined, ...options });
      const { retentionMs, dedupIntervalMs } = (await db.inspect()).config;
      return { db, found: [retentionMs / DAY, dedupIntervalMs] };
    };
    const first = await inForce();
    equal(first.found, [365, 0], "a new database");
    await first.db.close();
    const given = await inForce({ retention: "5y", dedupInterval: "15s" });
    await given.db.append({ __name__: "old" }, [now - 3 * 365 * DAY], [1]);
    await given.db.close();
    const again = await inForce();
    equal(again.found, [5 * 365, 15_000]);
    await again.db.tick(120_000);
    equal((await again.db.select("old")).length, 1);
    await again.db.close();

    const { db } = await inForce({ retention: "1y" });
    const told = [];
    db.observe((event) => told.push(event));
    for (let n = 0; told.length === 0 && n < 100; n++) await db.flush();
    const { type, beforeMs, afterMs, partitions } = told[0];
    equal([type, beforeMs / DAY, afterMs / DAY, partitions], ["retentionShortened", 5 * 365, 365, ["2021_03"]]);
    ok((await db.inspect()).partitions.length === 1, "nothing has gone yet");
    await db.tick(120_000);
    ok(told.some(({ type }) => type === "partitionDropped"));
    await db.close();
    await sandglass.destroy(name);
  },
};
