// Queries: languages, results as columns, limits, and what follows the clock.
import { equal, fails, ok } from "./assert.mjs";

/** An hour into 2024-03-10, as in contract.mjs. */
const START = Date.UTC(2024, 2, 10, 1);

/** Ten minutes of a scrape every ten seconds: two counters and a gauge. */
async function filled(open, name) {
  const db = await open({ name, startTime: START });
  const timestamps = Array.from({ length: 60 }, (_, at) => START - 600_000 + at * 10_000);
  for (const [host, by] of [
    ["a", 5],
    ["b", 20],
  ]) {
    await db.append(
      { __name__: "requests_total", host },
      timestamps,
      timestamps.map((_, at) => at * by),
    );
  }
  await db.append(
    { __name__: "temperature", room: "attic" },
    timestamps,
    timestamps.map((_, at) => at),
  );
  await db.flush();
  return db;
}

const RANGE = { start: START - 300_000, end: START - 180_000, step: "1m" };

export const QUERY_TESTS = {
  async "a query of a range answers columns over one column of instants"({ open, name }) {
    const db = await filled(open, name);
    for (const dialect of ["metricsql", "promql"]) {
      const result = await db.queryRange("sum by (host) (rate(requests_total[1m]))", { ...RANGE, dialect });
      equal([...result.timestamps], [START - 300_000, START - 240_000, START - 180_000], dialect);
      equal(
        result.series.map(({ labels, values }) => [labels, [...values]]),
        [
          [{ host: "a" }, [0.5, 0.5, 0.5]],
          [{ host: "b" }, [2, 2, 2]],
        ],
        dialect,
      );
      ok(result.stats.series === 2 && result.stats.samples > 0 && result.stats.milliseconds >= 0, "what it took is told");
    }
  },

  async "a query of an instant tells what its value is"({ open, name }) {
    const db = await filled(open, name);
    const time = START - 60_000;
    const vector = await db.query("temperature > 50", { time });
    equal([vector.type, vector.series], ["vector", [{ labels: { __name__: "temperature", room: "attic" }, timestamp: time, value: 54 }]]);
    const scalar = await db.query("1 + 2", { time, dialect: "promql" });
    equal([scalar.type, scalar.timestamp, scalar.value], ["scalar", time, 3]);
    const text = await db.query('"hello"', { time });
    equal([text.type, text.value], ["string", "hello"]);
    const matrix = await db.query("temperature[25s]", { time });
    equal(
      [matrix.type, [...matrix.series[0].timestamps], [...matrix.series[0].values]],
      ["matrix", [time - 20_000, time - 10_000, time], [52, 53, 54]],
    );
  },

  async "a query that can't be answered says where and why"({ open, name }) {
    const db = await filled(open, name);
    const error = await fails("invalid", () => db.query("sum(temperature"));
    ok(/1:16: parse error/.test(error.message), error.message);
    await fails("invalid", () => db.query("temperature", { dialect: "sql" }));
    await fails("invalid", () => db.queryRange("temperature", { start: START, end: START - 1, step: 1000 }));
    await fails("limit", () => db.queryRange("requests_total", { ...RANGE, maxSeries: 1 }));
    await fails("limit", () => db.queryRange("requests_total", { ...RANGE, maxSamples: 3 }));
    const control = new AbortController();
    control.abort();
    await fails("aborted", () => db.queryRange("temperature", { ...RANGE, signal: control.signal }));
  },

  async "what waits is found when it is asked for fresh"({ open, name }) {
    const db = await filled(open, name);
    await db.append({ __name__: "late" }, [START - 1000], [7]);
    equal(
      (await db.query("late", { time: START, fresh: true })).series.map(({ value }) => value),
      [7],
    );
  },

  async "newest samples, counts and envelopes"({ open, name }) {
    const db = await filled(open, name);
    equal(await db.latest("temperature"), [{ labels: { __name__: "temperature", room: "attic" }, timestamp: START - 10_000, value: 59 }]);
    equal(await db.latest("temperature", { within: "5s" }), []);
    equal([await db.count(), await db.count("requests_total"), await db.count("nothing")], [3, 2, 0]);
    const { timestamps, series } = await db.envelope("temperature", { start: START - 600_000, end: START, columns: 2 });
    equal([...timestamps], [START - 600_000, START - 300_000]);
    const [{ min, max, first, last }] = series;
    equal(
      [min, max, first, last].map((column) => [...column]),
      [
        [0, 30],
        [29, 59],
        [0, 30],
        [29, 59],
      ],
    );
  },

  async "a live query tells what is new, and ends"({ open, name }) {
    const db = await filled(open, name);
    const results = [];
    let stop;
    await new Promise((resolve, reject) => {
      stop = db.live(
        "max(temperature)",
        { range: "1m", step: "10s", every: 20 },
        (result) => {
          results.push(result);
          resolve();
        },
        reject,
      );
    });
    equal([...results[0].series[0].values].at(-2), 59);
    stop();
    await db.append({ __name__: "temperature", room: "attic" }, [START], [100]);
    await db.flush();
    await new Promise((resolve) => setTimeout(resolve, 60));
    equal(results.length, 1, "nothing comes after the end");
    await fails("invalid", async () => {
      await new Promise((_, reject) => void db.live("max(", { range: "1m", step: "10s" }, () => {}, reject));
    });
  },

  async "a live query has what a query of its whole range has"({ open, name }) {
    const db = await filled(open, name);
    const numbers = ({ timestamps, series }) =>
      JSON.stringify([[...timestamps], series.map(({ labels, values }) => [labels, [...values]])]);
    const queries = [
      ["max by (room) (temperature)", "promql"],
      ["max(max_over_time(temperature[1m]))", "metricsql"],
      ["avg(temperature)", "metricsql"],
      ["running_max(temperature)", "metricsql"],
      // As many points as a picture has columns: a step that is no whole number of milliseconds.
      ["max by (room) (temperature)", "promql", 300_000 / 91],
    ].map(([expression, dialect, step = 10_000]) => {
      const query = { expression, dialect, step, shown: undefined, failure: undefined };
      query.stop = db.live(
        expression,
        { range: "5m", step, every: 10, dialect },
        (result) => {
          query.shown = numbers(result);
          // What a listener does with its columns is its own affair.
          for (const { values } of result.series) values.fill(0);
        },
        (error) => (query.failure = error),
      );
      return query;
    });
    for (let turn = 0; turn < 8; turn++) {
      const now = await db.now();
      // Every third sample is late, in the midst of what is shown.
      const time = turn % 3 === 2 ? now - 100_000 - turn : now - 1;
      await db.append({ __name__: "temperature", room: "attic" }, [time], [60 + turn * 10]);
      if (turn === 5) await db.append({ __name__: "temperature", room: "cellar" }, [now - 50_000], [200]);
      await db.flush();
      await db.tick(10_000);
      const instant = await db.now();
      for (const query of queries) {
        const { expression, dialect, step } = query;
        const end = Math.floor(instant / Math.trunc(step)) * Math.trunc(step);
        const whole = numbers(await db.queryRange(expression, { start: end - 300_000, end, step, dialect }));
        for (let tries = 0; query.shown !== whole && !query.failure; tries++) {
          ok(tries < 500, `${query.expression}, turn ${turn}: ${query.shown} instead of ${whole}`);
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        equal(query.failure, undefined, query.expression);
      }
    }
    for (const { stop } of queries) stop();
  },

  async "a query tells what was done for it when it is asked"({ open, name }) {
    const db = await filled(open, name);
    const steps = ({ kind, text, children }) => [kind, text, ...children.map(steps)];
    const expression = "sum(rate(requests_total[1m]))";
    const { trace, stats } = await db.queryRange(expression, { ...RANGE, trace: true });
    equal(steps(trace), [
      "query",
      expression,
      ["parse", ""],
      ["expression", expression, ["find", "requests_total"], ["read", ""], ["roll", "rate"]],
      ["finish", ""],
    ]);
    equal([trace.series, trace.samples, trace.blocks, trace.bytes], [stats.series, stats.samples, stats.blocks, stats.bytes]);
    const [find, read, roll] = trace.children[1].children;
    equal([find.series, read.parts, read.blocks, read.samples, roll.rows, roll.points], [2, 1, 2, 120, 1, 3]);
    ok(trace.milliseconds >= 0 && trace.milliseconds <= stats.milliseconds + 1, `${trace.milliseconds} of ${stats.milliseconds} ms`);
    const time = START - 60_000;
    equal(steps((await db.query("1", { time, trace: true })).trace), ["query", "1", ["parse", ""], ["finish", ""]]);
    equal("trace" in (await db.query("1", { time })), false);
    await fails("invalid", () => db.query("1", { trace: "yes" }));
    const reply = await (await db.fetch(`/api/v1/query?query=temperature&time=${time / 1000}&trace=1`)).json();
    ok(reply.trace.duration_msec >= 0 && /^query temperature: series=1/.test(reply.trace.message), JSON.stringify(reply.trace));
  },

  async "the Prometheus API is answered by fetch"({ open, name }) {
    const db = await filled(open, name);
    const time = (START - 60_000) / 1000;
    const query = async (path) => {
      const response = await db.fetch(path);
      return [response.status, await response.json()];
    };
    equal(await query(`/prometheus/api/v1/query?query=temperature&time=${time}`), [
      200,
      {
        status: "success",
        data: { resultType: "vector", result: [{ metric: { __name__: "temperature", room: "attic" }, value: [time, "54"] }] },
      },
    ]);
    const form = {
      method: "POST",
      body: new URLSearchParams({ query: "count(requests_total)", start: String(time), end: String(time), step: "15" }),
    };
    equal((await (await db.fetch("/api/v1/query_range", form)).json()).data.result, [{ metric: {}, values: [[time, "2"]] }]);
    const [status, { errorType }] = await query("/api/v1/query?query=sum(");
    equal([status, errorType], [400, "bad_data"]);
    equal((await query("/api/v1/label/host/values"))[1].data, ["a", "b"]);
  },

  async "a long reply comes in pieces, whole or not at all"({ open, name }) {
    const db = await open({ name, startTime: START });
    const timestamps = Array.from({ length: 50_000 }, (_, at) => START - 50_000_000 + at * 1000);
    await db.append(
      { __name__: "long" },
      timestamps,
      timestamps.map((_, at) => at),
    );
    await db.flush();
    const path = "/prometheus/api/v1/export?match[]=long";
    const samples = (text) =>
      text
        .trim()
        .split("\n")
        .reduce((sum, line) => sum + JSON.parse(line).values.length, 0);
    equal(samples(await (await db.fetch(path)).text()), 50_000);
    equal(
      samples(await (await db.fetch("/api/v1/export", { method: "POST", body: new URLSearchParams({ "match[]": "long" }) })).text()),
      50_000,
    );
    // One that is left is no reason for anything to stay.
    const reader = (await db.fetch(path)).body.getReader();
    equal((await reader.read()).done, false);
    await reader.cancel();
    const control = new AbortController();
    const body = (await db.fetch(path, { signal: control.signal })).body.getReader();
    await body.read();
    control.abort();
    await fails("aborted", async () => {
      for (;;) if ((await body.read()).done) return;
    });
    const head = await db.fetch(path, { method: "HEAD" });
    equal([head.status, head.headers.get("content-type"), await head.text()], [200, "application/stream+json; charset=utf-8", ""]);
    const nothing = await db.fetch("/api/v1/import/prometheus", { method: "POST", body: `short 1 ${START}\n` });
    equal([nothing.status, nothing.headers.get("content-type"), await nothing.text()], [204, null, ""]);
    const preflight = await db.fetch("/api/v1/admin/tsdb/delete_series?match[]=long", { method: "OPTIONS" });
    equal([preflight.status, preflight.headers.get("access-control-allow-origin")], [204, "*"]);
    const refused = await db.fetch("/api/v1/admin/tsdb/delete_series?match[]=long");
    equal([refused.status, refused.headers.get("allow")], [405, "OPTIONS, POST, PUT"]);
    equal(samples(await (await db.fetch(path)).text()), 50_000);
  },

  async "every format goes in"({ open, name }) {
    const db = await open({ name });
    const influx = await db.ingest("weather,room=attic temperature=19.5 1710032400000000000\n", { format: "influx" });
    equal([influx.samples, influx.rejected], [1, 0]);
    const csv = await db.ingest("cellar,11.25,1710032400\n", { format: "csv", csvFormat: "1:label:room,2:metric:degrees,3:time:unix_s" });
    equal(csv.samples, 1);
    const graphite = await db.ingest("servers.a.load 0.5 1710032400\n", { format: "graphite" });
    equal(graphite.samples, 1);
    await db.flush();
    equal((await db.labelValues("__name__")).sort(), ["degrees", "servers.a.load", "weather_temperature"]);
    const [{ values }] = await db.select("degrees");
    equal([...values], [11.25]);
  },
};
