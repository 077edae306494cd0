// How a page notices that its worker has fallen silent, on a clock that the test moves.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { source } from "./source.mjs";

const { Liveness } = await source("worker/liveness");
const { WorkerPort } = await source("worker/worker_port");

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_710_000_000_000 }));
afterEach(() => mock.timers.reset());

/** Lets time pass as it does: every timer fires at its instant. */
function pass(ms) {
  for (let rest = ms; rest > 0; rest -= 500) mock.timers.tick(Math.min(rest, 500));
}

function watched() {
  const seen = { awaited: true, pings: 0, lost: 0 };
  seen.watch = new Liveness({ isAwaited: () => seen.awaited, ping: () => seen.pings++, lost: () => seen.lost++ });
  seen.watch.relax();
  return seen;
}

describe("the watch", () => {
  it("asks after 20 seconds of silence, and gives up after two pings without an answer", () => {
    const seen = watched();
    seen.watch.begin();
    pass(19_999);
    assert.deepEqual([seen.pings, seen.lost], [0, 0]);
    pass(1);
    assert.deepEqual([seen.pings, seen.lost], [1, 0]);
    pass(5_000);
    assert.deepEqual([seen.pings, seen.lost], [2, 0]);
    pass(5_000);
    assert.deepEqual([seen.pings, seen.lost], [2, 1]);
    pass(600_000);
    assert.deepEqual([seen.pings, seen.lost], [2, 1]);
  });

  it("is content with any sign of life", () => {
    const seen = watched();
    seen.watch.begin();
    for (let n = 0; n < 20; n++) {
      pass(15_000);
      seen.watch.heard();
    }
    assert.deepEqual([seen.pings, seen.lost], [0, 0]);
    for (let n = 0; n < 20; n++) {
      pass(24_000);
      seen.watch.heard();
    }
    assert.ok(seen.pings >= 20);
    assert.equal(seen.lost, 0);
  });

  it("sleeps while nobody waits", () => {
    const seen = watched();
    seen.watch.begin();
    seen.awaited = false;
    pass(600_000);
    assert.deepEqual([seen.pings, seen.lost], [0, 0]);
    seen.awaited = true;
    seen.watch.begin();
    pass(19_000);
    assert.equal(seen.pings, 0);
    pass(11_000);
    assert.equal(seen.lost, 1);
  });

  it("counts the silence from the first of those who wait, not from what was heard before", () => {
    const seen = watched();
    seen.watch.begin();
    pass(100);
    seen.watch.heard();
    seen.awaited = false;
    pass(19_800);
    // The timer of the last call is still running.
    seen.watch.begin();
    seen.awaited = true;
    pass(19_900);
    assert.deepEqual([seen.pings, seen.lost], [0, 0]);
    for (let n = 0; n < 10; n++) {
      // Those who come later don't put it off.
      pass(1_000);
      seen.watch.begin();
    }
    pass(1_500);
    assert.deepEqual([seen.pings, seen.lost], [2, 1]);
  });

  it("is quick to ask where no lock tells of the end", () => {
    const seen = watched();
    const quick = new Liveness({ isAwaited: () => true, ping: () => seen.pings++, lost: () => seen.lost++ });
    quick.begin();
    pass(12_000);
    assert.deepEqual([seen.pings, seen.lost], [2, 1]);
  });

  it("is not fooled by a page that was frozen between a ping and its answer", () => {
    const seen = watched();
    seen.watch.begin();
    pass(25_000);
    assert.equal(seen.pings, 2);
    // One step: the timer fires when the page thaws, and the answer is delivered behind it.
    mock.timers.tick(3_600_000);
    assert.equal(seen.lost, 0);
    seen.watch.heard();
    pass(19_000);
    assert.equal(seen.lost, 0);
    // Frozen again, and this time there is no answer behind it.
    pass(6_000);
    mock.timers.tick(3_600_000);
    assert.equal(seen.lost, 0);
    pass(10_000);
    assert.equal(seen.lost, 1);
  });
});

describe("a worker that says nothing", () => {
  class Silent {
    said = [];
    handedOver = [];
    postMessage(message, transfer = []) {
      this.said.push(message);
      this.handedOver.push(transfer);
      if (message.kind === "start")
        queueMicrotask(() => this.onmessage({ data: { kind: "answer", id: message.id, value: undefined, now: 0 } }));
    }
    terminate() {
      this.terminated = true;
    }
  }
  const start = (worker, signal) =>
    WorkerPort.start(worker, { options: { manualClock: false, startTime: 0 }, storage: { kind: "memory" }, lock: {}, code: {} }, signal);

  it("is ended, and all that waits is rejected with the code closed", async () => {
    const worker = new Silent();
    const port = await start(worker);
    // As many samples as may be on their way: who appends them waits for an answer.
    const long = new Float64Array(256 * 1024);
    const waiting = [port.ask({ kind: "flush" }), port.append(port.series(["a", "b"]), long, long), port.inspect(), port.close()];
    const outcomes = Promise.all(
      waiting.map((one) =>
        one.then(
          () => "fulfilled",
          ({ code, message }) => `${code}: ${message}`,
        ),
      ),
    );
    await new Promise((resolve) => setImmediate(resolve));
    mock.timers.tick(2_000);
    mock.timers.tick(5_000);
    assert.equal(worker.said.filter(({ kind }) => kind === "ping").length, 2);
    assert.equal(worker.terminated, undefined);
    mock.timers.tick(5_000);
    for (const outcome of await outcomes) assert.match(outcome, /^closed: .*has not answered for a long time/);
    assert.ok(worker.terminated);
    await assert.rejects(port.ask({ kind: "flush" }), { code: "closed" });
    assert.throws(() => port.series(["c", "d"]), { code: "closed" });
    await port.close();
  });

  it("can be given up while it opens", async () => {
    const worker = new Silent();
    worker.postMessage = () => {};
    const given = new AbortController();
    const opening = start(worker, given.signal);
    given.abort();
    await assert.rejects(opening, { code: "aborted" });
    assert.ok(worker.terminated);
  });

  it("gets the appends of one task in one message, and keeps the caller's arrays", async () => {
    const worker = new Silent();
    const port = await start(worker);
    const series = port.series(["__name__", "up"]);
    assert.equal(port.series(["empty", "", "__name__", "up"]), series);
    assert.throws(() => port.series(["empty", ""]), {
      code: "invalid",
      message: "a series needs at least one label with a value, such as __name__",
    });
    const values = Float64Array.of(0, 2);
    new BigUint64Array(values.buffer)[0] = 0x7ff0000000000002n;
    for (let n = 0; n < 1000; n++) void port.append(series, BigInt64Array.of(BigInt(n), 2n ** 60n + 1n), values);
    void port.appendRow((target) => target.fill(series), 7, [1]);
    values.fill(9);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(
      worker.said.slice(1).map(({ kind }) => kind),
      ["series", "append"],
    );
    const { batch } = worker.said[2];
    assert.deepEqual([batch.calls.length, batch.timestamps.length, batch.values.length, batch.series.length], [3003, 2001, 2001, 1]);
    assert.equal(new BigInt64Array(batch.timestamps.buffer)[1999], 2n ** 60n + 1n);
    assert.equal(new BigUint64Array(batch.values.buffer)[1998], 0x7ff0000000000002n);
    assert.deepEqual(
      new Set(worker.handedOver[2]),
      new Set([batch.calls.buffer, batch.timestamps.buffer, batch.values.buffer, batch.series.buffer]),
    );
  });

  it("is handed long columns and bodies, not clones of them, and the caller's own stay whole", async () => {
    const worker = new Silent();
    const port = await start(worker);
    const series = port.series(["__name__", "up"]);
    const column = new Float64Array(20_000);
    void port.append(series, column, column);
    void port.appendRow((target) => target.fill(series), 7, column);
    const body = new TextEncoder().encode("up 1");
    void port.ask({ kind: "http", method: "POST", uri: "/write", contentType: "", contentEncoding: "", body });
    // A piece of a body was made for this, and crosses without a copy: lines.test.mjs has that nobody else has its memory.
    const piece = new TextEncoder().encode("up 2");
    void port.ask({ kind: "ingestPiece", ingest: 1, body: piece });
    assert.deepEqual(
      worker.said.slice(1).map(({ kind }) => kind),
      ["series", "append", "append", "ask", "ask"],
    );
    for (const at of [2, 3]) {
      const { batch } = worker.said[at];
      assert.deepEqual(
        new Set(worker.handedOver[at]),
        new Set([batch.calls.buffer, batch.timestamps.buffer, batch.values.buffer, batch.series.buffer]),
      );
      assert.ok(!worker.handedOver[at].includes(column.buffer));
    }
    const { command } = worker.said[4];
    assert.deepEqual(worker.handedOver[4], [command.body.buffer]);
    assert.deepEqual([command.body, command.body.buffer === body.buffer], [body, false]);
    assert.deepEqual(worker.handedOver[5], [piece.buffer]);
  });
});
