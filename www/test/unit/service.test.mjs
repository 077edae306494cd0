// What one port asks of an engine that several work with, shown with an engine that notes what it is asked and answers when told.
import assert from "node:assert/strict";
import { it } from "node:test";
import { source } from "./source.mjs";

const { Service } = await source("worker/service");
const { Taken } = await source("worker/taken");
const { packLong } = await source("worker/append_batch");
const { isReading, isRepeatable } = await source("port/requests");

const turn = () => new Promise((resolve) => setImmediate(resolve));

/**
 * A service, what its engine is asked, and what it answers. An engine answers at once those kinds that are not held up. `taken`: of the
 * service that the port had before. `isRemote`: the port is another page's.
 */
function serve(taken, isRemote = false) {
  const [asked, said, held] = [[], [], new Map()];
  const port = {
    isOpen: true,
    now: () => 0,
    series: () => 0,
    append: () => port.ask({ kind: "append" }),
    ask(command, signal) {
      asked.push(command.kind);
      if (signal?.aborted) return Promise.reject(signal.reason);
      const answer = { ingestOpen: 3, exportOpen: 4, http: [204, [], new Uint8Array()] }[command.kind];
      if (!held.has(command.kind)) return Promise.resolve(answer);
      return new Promise((resolve, reject) => held.set(command.kind, { answer: () => resolve(answer), fail: reject }));
    },
  };
  const desk = { port, audience: { add() {}, delete() {} }, failed: assert.fail };
  const service = new Service(
    () => desk,
    (reply) => said.push(reply),
    { isRemote, taken },
  );
  let id = 0;
  const ask = async (command) => {
    service.take({ kind: "ask", id: ++id, command });
    await turn();
    return said.find((reply) => reply.id === id);
  };
  const hold = (kind) => held.set(kind, undefined);
  /** Sends a batch of two samples; the answers to it that have come. */
  const append = async (id) => {
    service.take({ kind: "append", id, batch: packLong(0, [1, 2], [1, 2]) });
    await turn();
    return said.filter((reply) => reply.id === id).map(({ refused }) => refused);
  };
  service.take({ kind: "series", labels: [["__name__", "a"]] });
  return { service, port, asked, said, held, hold, ask, append };
}

it("a snapshot that is half restored is given up when its port goes", async () => {
  const { service, asked, ask } = serve();
  await ask({ kind: "restoreBegin" });
  await ask({ kind: "restoreFeed", body: new Uint8Array(1) });
  service.end();
  await turn();
  assert.deepEqual(asked, ["restoreBegin", "restoreFeed", "restoreAbort"]);
});

for (const kind of ["restoreBegin", "restoreFeed"]) {
  it(`one whose port goes during ${kind} is given up when the engine has done that`, async () => {
    const { service, asked, hold, held, ask } = serve();
    hold(kind);
    await ask({ kind: "restoreBegin" });
    if (kind !== "restoreBegin") await ask({ kind: "restoreFeed", body: new Uint8Array(1) });
    service.end();
    await turn();
    assert.equal(asked.at(-1), kind, "the engine would refuse it now");
    held.get(kind).answer();
    await turn();
    assert.equal(asked.at(-1), "restoreAbort");
  });
}

it("a snapshot that has ended or failed is not given up: the next one may be another port's", async () => {
  for (const last of ["restoreEnd", "restoreAbort", "restoreFeed"]) {
    const { service, asked, hold, held, ask } = serve();
    await ask({ kind: "restoreBegin" });
    if (last === "restoreFeed") hold(last);
    await ask({ kind: last, body: new Uint8Array(1) });
    held.get(last)?.fail(new Error("broken"));
    await turn();
    service.end();
    await turn();
    assert.deepEqual(asked, ["restoreBegin", last]);
  }
});

it("one that was not begun before its port went is not begun, and nothing of it is given up", async () => {
  const { service, asked, ask } = serve();
  const asking = ask({ kind: "restoreBegin" });
  service.end();
  await asking;
  await turn();
  assert.deepEqual(asked, []);
});

it("one that was refused a second snapshot still has its first", async () => {
  const { service, asked, hold, held, ask } = serve();
  await ask({ kind: "restoreBegin" });
  hold("restoreBegin");
  await ask({ kind: "restoreBegin" });
  held.get("restoreBegin").fail(new Error("a snapshot is being restored"));
  await turn();
  service.end();
  await turn();
  assert.equal(asked.at(-1), "restoreAbort");
});

it("bodies on their way in are closed when their port goes, those that have ended are not", async () => {
  const { service, asked, ask } = serve();
  assert.equal((await ask({ kind: "ingestOpen", format: "influx" })).value, 3);
  service.end();
  await turn();
  assert.deepEqual(asked, ["ingestOpen", "ingestClose"]);
  const another = serve();
  await another.ask({ kind: "ingestOpen", format: "influx" });
  await another.ask({ kind: "ingestEnd", ingest: 3 });
  another.service.end();
  await turn();
  assert.deepEqual(another.asked, ["ingestOpen", "ingestEnd"]);
});

it("what a port goes on with that it has not begun here was interrupted, and does not reach what is another port's", async () => {
  const { asked, ask } = serve();
  for (const command of [
    { kind: "exportNext", cursor: 4 },
    { kind: "pushNext", cursor: 4 },
    { kind: "ingestPiece", ingest: 3, body: new Uint8Array(1) },
    { kind: "ingestEnd", ingest: 3 },
    { kind: "restoreFeed", body: new Uint8Array(1) },
    { kind: "restoreEnd" },
    { kind: "restoreAbort" },
    { kind: "exportClose", cursor: 4 },
    { kind: "ingestClose", ingest: 3 },
  ]) {
    const { kind, failure } = await ask(command);
    assert.deepEqual([kind, failure?.[0]], ["failed", "interrupted"], command.kind);
  }
  assert.deepEqual(asked, []);
  await ask({ kind: "exportOpen" });
  assert.equal((await ask({ kind: "exportNext", cursor: 4 })).kind, "answer");
});

it("a port that parts has its calls carried out, and what it leaves open closed", async () => {
  const { service, asked, hold, held, ask } = serve();
  await ask({ kind: "exportOpen" });
  hold("sync");
  await ask({ kind: "sync" });
  const parting = service.part();
  await turn();
  assert.deepEqual(asked, ["exportOpen", "sync"]);
  held.get("sync").answer();
  await parting;
  await turn();
  assert.deepEqual(asked, ["exportOpen", "sync", "exportClose"]);
});

it("a batch that was refused is refused when it is sent once more, and one that was taken is not carried out again", async () => {
  const taken = new Taken();
  const { service, asked, append, hold, held } = serve(taken);
  assert.deepEqual(await append(1), [undefined]);
  hold("append");
  await append(2);
  held.get("append").fail(new Error("the storage is full"));
  const [refused, repeated] = await append(2);
  assert.equal(refused.samples, 2);
  assert.match(refused.failure[1], /the storage is full/);
  assert.deepEqual(repeated, refused);
  service.end();
  const next = serve(taken);
  assert.deepEqual(await next.append(1), [undefined]);
  assert.deepEqual(await next.append(2), [refused]);
  assert.deepEqual([asked, next.asked], [["append", "append"], []]);
});

it("one that is refused after its port has gone is refused to the port that has come back, once that is known", async () => {
  const taken = new Taken();
  const { service, said, append, hold, held } = serve(taken);
  hold("append");
  await append(1);
  service.end();
  const next = serve(taken);
  assert.deepEqual(await next.append(1), [], "nobody knows yet");
  assert.ok(next.service.isArriving, "what is asked behind it waits");
  held.get("append").fail(new Error("the storage is full"));
  await turn();
  assert.deepEqual(said, []);
  assert.deepEqual(
    next.said.map(({ id, refused }) => [id, refused?.samples]),
    [[1, 2]],
  );
});

it("of a port whose batches are refused without end the last thousand refusals are remembered", async () => {
  const taken = new Taken();
  const refused = { samples: 1, failure: ["quota", ""] };
  for (let id = 1; id <= 1_001; id++) await taken.outcome(id, async () => refused);
  assert.deepEqual([await taken.outcome(1), await taken.outcome(2), await taken.outcome(1_001)], [undefined, refused, refused]);
});

it("what goes on with something of one engine's, or takes away what comes behind it, is not asked of another", () => {
  for (const kind of ["exportNext", "exportClose", "pushNext"]) assert.equal(isRepeatable({ kind, cursor: 1 }), false, kind);
  for (const kind of ["ingestPiece", "ingestEnd", "ingestClose"]) assert.equal(isRepeatable({ kind, ingest: 1 }), false, kind);
  for (const kind of [
    "restoreBegin",
    "restoreFeed",
    "restoreEnd",
    "restoreAbort",
    "pushLate",
    "snapshotCreate",
    "snapshotDeleteAll",
    "deleteSeries",
  ])
    assert.equal(isRepeatable({ kind }), false, kind);
  for (const kind of ["query", "ingestOpen", "sync", "exportOpen"]) assert.equal(isRepeatable({ kind }), true, kind);
});

it("whether a request reads is seen from its path, and not from what it asks", () => {
  for (const [method, uri] of [
    ["POST", "/api/v1/query"],
    ["POST", "/select/0/prometheus/api/v1/query_range?x=1"],
    ["POST", "/api/v1/export/csv"],
    ["GET", "/federate?match[]=disk_writes"],
    ["GET", "/api/v1/query?query=snapshot_import_delete"],
    ["GET", "/api/v1/label/import_errors/values"],
    ["GET", "/snapshot/list"],
    ["HEAD", "/metrics"],
    ["POST", "/api/v1/label/job/values"],
    ["POST", "/federate"],
    ["OPTIONS", "/api/v1/import"],
    ["OPTIONS", "/api/v1/admin/tsdb/delete_series?match[]=up"],
  ])
    assert.equal(isReading(method, uri), true, `${method} ${uri}`);
  for (const [method, uri] of [
    ["POST", "/api/v1/import/prometheus?extra_label=p=/api/v1/query"],
    ["POST", "/api/v1/import/prometheus/metrics/job/x/api/v1/query"],
    ["GET", "/api/v1/import/prometheus"],
    ["GET", "/write?db=x"],
    ["GET", "/influx/api/v2/write"],
    ["GET", "/snapshot/create"],
    ["GET", "/snapshot/delete?snapshot=x"],
    ["GET", "/api/v1/admin/tsdb/snapshot"],
    ["GET", "/internal/force_merge"],
    ["GET", "/api/v1/admin/tsdb/delete_series?match[]=up"],
    ["GET", "/opentelemetry/v1/metrics"],
  ])
    assert.equal(isReading(method, uri), false, `${method} ${uri}`);
});

for (const command of [
  { kind: "deleteSeries", selector: "a" },
  {
    kind: "http",
    method: "POST",
    uri: "/api/v1/admin/tsdb/delete_series?match[]=a",
    contentType: "",
    contentEncoding: "",
    body: new Uint8Array(),
  },
])
  it(`what came before a ${command.kind} that deletes is durable when that is answered: sent to another engine it would come back`, async () => {
    const { asked, said, ask, append, service } = serve(undefined, true);
    await append(1);
    await ask(command);
    assert.deepEqual(asked, ["append", command.kind, "sync"]);
    assert.deepEqual(said.map(({ kind, id }) => [kind, id]).slice(-2), [
      ["durable", 1],
      ["answer", 1],
    ]);
    service.end();
  });

it("a sync waits for a batch that an earlier service of its port has still to take", async () => {
  const taken = new Taken();
  const earlier = serve(taken, true);
  earlier.hold("append");
  await earlier.append(1);
  const later = serve(taken, true);
  assert.equal(await later.ask({ kind: "sync" }), undefined);
  assert.deepEqual(later.asked, []);
  earlier.held.get("append").answer();
  await turn();
  await turn();
  assert.deepEqual(later.asked, ["sync"]);
  for (const { service } of [earlier, later]) service.end();
});
