// A port whose engines come and go, shown with lines on which the test says what they say.
import assert from "node:assert/strict";
import { it } from "node:test";
import { source } from "./source.mjs";

const { WorkerPort } = await source("worker/worker_port");

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A line to another page's engine, with what was sent on it. */
function line() {
  const wire = { isLocal: false, heard: Promise.resolve(), sent: [], say: undefined, hasEnded: false };
  wire.post = (request) => wire.sent.push(request);
  wire.listen = (take) => (wire.say = take);
  wire.end = () => (wire.hasEnded = true);
  return wire;
}

/** A port that may have another engine, and ends when the test does. */
function portOf(t) {
  const host = { lost() {}, moving() {}, flush: () => port.flush(), verify: async () => {}, isLast: () => false, leave: async () => {} };
  const port = new WorkerPort({ manualClock: false, startTime: 0 }, host);
  t.after(() => port.end(Object.assign(new Error("the test is over"), { code: "closed" })));
  return port;
}

const LOST = { isSafe: false, isSettled: false };
const SETTLED = { isSafe: true, isSettled: true };

for (const request of [
  { kind: "exportNext", cursor: 1 },
  { kind: "ingestPiece", ingest: 1, body: new Uint8Array(1) },
  { kind: "ingestEnd", ingest: 1 },
  { kind: "restoreFeed", body: new Uint8Array(1) },
  { kind: "restoreEnd" },
])
  it(`${request.kind} is interrupted when its engine goes, however that goes`, async (t) => {
    for (const parting of [LOST, SETTLED]) {
      const port = portOf(t);
      port.link(line());
      const asked = port.ask(request);
      const refused = assert.rejects(asked, { code: "interrupted", tookEffect: "unknown" });
      await turn();
      port.unlink(parting);
      const next = line();
      port.link(next);
      await refused;
      assert.deepEqual(next.sent, [], "the next engine knows nothing of it");
    }
  });

it("a restoration that was not begun is begun with the next engine, one that may have been is not", async (t) => {
  const port = portOf(t);
  port.link(line());
  const asked = port.ask({ kind: "restoreBegin" });
  const refused = assert.rejects(asked, { code: "interrupted" });
  await turn();
  port.unlink(SETTLED);
  const next = line();
  port.link(next);
  assert.deepEqual(
    next.sent.map(({ command }) => command.kind),
    ["restoreBegin"],
  );
  port.unlink(LOST);
  await refused;
});

for (const command of [{ kind: "deleteSeries", selector: "up" }, { kind: "snapshotDeleteAll" }])
  it(`${command.kind} is interrupted when its engine has gone without a word: done once more it would take what came behind it`, async (t) => {
    const port = portOf(t);
    port.link(line());
    const refused = assert.rejects(port.ask(command), { code: "interrupted", tookEffect: "unknown" });
    await turn();
    port.unlink(LOST);
    const next = line();
    port.link(next);
    assert.deepEqual(next.sent, []);
    await refused;
  });

it("what waits for an engine keeps its order: calls and samples, and samples that are not on their way yet", async (t) => {
  const port = portOf(t);
  const series = port.series(["__name__", "a"]);
  const ask = (command) => port.ask(command).catch(() => {});
  const kinds = ({ sent }) => sent.map(({ kind, command }) => command?.kind ?? kind);
  ask({ kind: "sync" });
  port.append(series, [1], [1]);
  ask({ kind: "deleteSeries", selector: "a" });
  ask({ kind: "forceMerge", partitionPrefix: "" });
  port.append(series, [2], [2]);
  ask({ kind: "flush" });
  port.append(series, [3], [3]);
  const ordered = ["series", "sync", "append", "deleteSeries", "forceMerge", "append", "flush", "append"];
  const first = line();
  port.link(first);
  assert.deepEqual(kinds(first), ordered);
  await turn();
  port.unlink({ isSafe: false, isSettled: true });
  const second = line();
  port.link(second);
  assert.deepEqual(kinds(second), ordered, "though it was sent before");
  port.unlink(LOST);
  const third = line();
  port.link(third);
  assert.deepEqual(
    kinds(third),
    ordered.filter((kind) => kind !== "deleteSeries"),
  );
});

for (const when of ["while there is no engine", "before its engine has gone"])
  it(`a call that is given up ${when} is not asked of the next one`, async (t) => {
    for (const parting of [LOST, SETTLED]) {
      const port = portOf(t);
      port.link(line());
      const control = new AbortController();
      const asked = port.ask({ kind: "forceMerge", partitionPrefix: "" }, control.signal);
      const refused = assert.rejects(asked, { code: "aborted" });
      await turn();
      if (when === "before its engine has gone") control.abort();
      port.unlink(parting);
      control.abort();
      const next = line();
      port.link(next);
      await refused;
      assert.deepEqual(next.sent, []);
      assert.equal(port.waitsSince, undefined, "nobody waits");
    }
  });

it("a long append goes on when its samples are given up with the third engine", async (t) => {
  const port = portOf(t);
  port.series(["a", "b"]);
  const times = Float64Array.from({ length: 300_000 }, (_, at) => at);
  let isOver = false;
  const appended = port.append(0, times, times).then(() => (isOver = true));
  for (let engine = 0; engine < 3; engine++) {
    const wire = line();
    port.link(wire);
    assert.ok(
      wire.sent.some(({ kind }) => kind === "append"),
      "the batch is sent once more",
    );
    await turn();
    assert.equal(isOver, false);
    port.unlink(LOST);
  }
  await Promise.race([appended, new Promise((resolve) => setTimeout(resolve, 1_000))]);
  assert.ok(isOver, "there is room again");
  const last = line();
  port.link(last);
  assert.ok(!last.sent.some(({ kind }) => kind === "append"));
  await assert.rejects(port.append(0, [1], [1]), { code: "interrupted", samples: 300_000 });
  await port.append(0, [1], [1]);
});

it("a refusal that is heard again, since its batch was sent once more, is told once, and what is refused beyond it too", async (t) => {
  const port = portOf(t);
  const series = port.series(["__name__", "a"]);
  const refuse = (wire, samples) => wire.say({ kind: "appended", id: 1, refused: { samples, failure: ["quota", "the storage is full"] } });
  const relink = () => {
    port.unlink(LOST);
    const wire = line();
    port.link(wire);
    return wire;
  };
  const told = (samples) => assert.rejects(port.append(series, [1], [1]), { code: "quota", samples });
  await port.append(series, [1, 2, 3], [1, 2, 3]);
  const first = line();
  port.link(first);
  refuse(first, 2);
  await told(2);
  const second = relink();
  refuse(second, 2);
  refuse(second, 3);
  await told(1);
});

it("whoever has a session with the worker tells it when that is over", async (t) => {
  const port = portOf(t);
  const wire = line();
  port.link(wire);
  const session = port.connect();
  session.post({ kind: "ping" }, []);
  session.end();
  assert.deepEqual(wire.sent, [
    { kind: "session", session: 1, request: { kind: "ping" } },
    { kind: "part", session: 1 },
  ]);
});

it("what is appended while no engine has heard the port is kept as the page is put away, and goes to the next one", async (t) => {
  const port = portOf(t);
  port.link({ ...line(), heard: new Promise(() => {}) });
  const series = port.series(["__name__", "a"]);
  await port.append(series, [1], [2]);
  port.putAway();
  const next = line();
  port.link(next);
  assert.deepEqual(
    next.sent.map(({ kind }) => kind),
    ["series", "append"],
  );
  // What an engine has heard arrives, and is not sent twice.
  await turn();
  port.putAway();
  const third = line();
  port.link(third);
  assert.deepEqual(
    third.sent.map(({ kind }) => kind),
    ["series"],
  );
});

it("queries speak the port's language, whichever engine it works with", async (t) => {
  const host = { lost() {}, flush() {}, verify: async () => {}, isLast: () => false, leave: async () => {} };
  const port = new WorkerPort({ manualClock: false, startTime: 0, dialect: "promql" }, host);
  t.after(() => port.end(Object.assign(new Error("the test is over"), { code: "closed" })));
  const wire = line();
  port.link(wire);
  const http = { kind: "http", method: "GET", contentType: "", contentEncoding: "", body: new Uint8Array(0) };
  for (const request of [
    { kind: "query", expression: "up", dialect: undefined },
    { kind: "query", expression: "up", dialect: "metricsql" },
    { ...http, uri: "/api/v1/query?query=up" },
    { ...http, uri: "/api/v1/query?query=up&dialect=metricsql" },
    { ...http, method: "POST", uri: "/api/v1/import/prometheus" },
  ])
    port.ask(request).catch(() => {});
  await turn();
  assert.deepEqual(
    wire.sent.map(({ command }) => command.dialect ?? command.uri),
    [
      "promql",
      "metricsql",
      "/api/v1/query?query=up&dialect=promql",
      "/api/v1/query?query=up&dialect=metricsql",
      "/api/v1/import/prometheus",
    ],
  );
});

it("a batch that was refused as a whole goes to no other engine: its caller was told, and may have appended it again", async (t) => {
  const port = portOf(t);
  const series = port.series(["__name__", "a"]);
  const first = line();
  port.link(first);
  port.append(series, [1], [1]);
  await turn();
  const { id } = first.sent.find(({ kind }) => kind === "append");
  first.say({ kind: "appended", id, refused: { samples: 1, failure: ["quota", "the storage is full"] } });
  port.unlink(LOST);
  const next = line();
  port.link(next);
  assert.deepEqual(
    next.sent.map(({ kind }) => kind),
    ["series"],
  );
});
