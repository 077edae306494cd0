// Appends on their way to a worker: they go on without an answer as long as there is room, and no refusal is lost.
import assert from "node:assert/strict";
import { it } from "node:test";
import { source } from "./source.mjs";

const { WorkerPort } = await source("worker/worker_port");

/** A worker that answers appends when it is told to, and everything else at once. */
class Slow {
  appends = [];
  commands = [];
  postMessage(message) {
    if (message.kind === "append") this.appends.push(message);
    if (message.kind === "ask") this.commands.push(message.command.kind);
    if ("id" in message && message.kind !== "append")
      queueMicrotask(() =>
        this.onmessage?.({ data: { kind: "answer", id: message.id, value: message.kind === "start" ? "writer" : undefined, now: 0 } }),
      );
  }
  /** Answers the oldest message of appends. */
  take(refused) {
    this.onmessage({ data: { kind: "appended", id: this.appends.shift().id, refused } });
  }
  terminate() {
    this.terminated = true;
  }
}

async function start() {
  const worker = new Slow();
  const port = await WorkerPort.start(worker, {
    options: { manualClock: false, startTime: 0 },
    storage: { kind: "memory" },
    lock: {},
    code: {},
  });
  return { worker, port, series: port.series(["__name__", "up"]) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const COLUMN = new Float64Array(4_096);
const FULL = new Float64Array(256 * 1024);
const QUOTA = ["quota", "the storage is full"];

it("an awaited loop goes on without an answer until 256 Ki samples are on their way, and again when half of them are answered", async () => {
  const { worker, port, series } = await start();
  let done = 0;
  const loop = (async () => {
    for (; done < 80; done++) await port.append(series, COLUMN, COLUMN);
  })();
  for (let i = 0; i < 50; i++) await turn();
  assert.equal(done, 63, "the 64th fills the window and waits");
  const onTheWay = () => worker.appends.reduce((sum, { batch }) => sum + batch.values.length, 0);
  assert.equal(onTheWay(), FULL.length);
  assert.ok(worker.appends.length < 32, `together, and not call by call: ${worker.appends.length} messages`);
  while (onTheWay() - worker.appends[0].batch.values.length > FULL.length / 2) worker.take();
  await turn();
  assert.equal(done, 63, "more than half are still on their way");
  worker.take();
  await loop;
  assert.equal(done, 80);
});

it("what the engine refuses rejects the next append, which is not sent, and the next flush, each once and with the samples", async () => {
  const { worker, port, series } = await start();
  await port.append(series, [1, 2, 3], [1, 2, 3]);
  await port.appendRow((target) => target.fill(series), 7, [1, 1]);
  await turn();
  worker.take({ samples: 5, failure: QUOTA });
  await assert.rejects(port.append(series, [4], [4]), {
    code: "quota",
    samples: 5,
    message: /^5 samples .* were not taken: the storage is full$/,
  });
  await turn();
  assert.equal(worker.appends.length, 0);
  await port.append(series, [5], [5]);
  await assert.rejects(port.ask({ kind: "sync" }), { code: "quota", samples: 5 });
  await port.ask({ kind: "sync" });
  worker.take();
});

it("refusals that nobody has asked for yet add up, and close tells them, though it closes", async () => {
  const { worker, port, series } = await start();
  for (let i = 0; i < 2; i++) {
    await port.append(series, [1], [1]);
    await turn();
  }
  worker.take({ samples: 1, failure: QUOTA });
  worker.take({ samples: 1, failure: QUOTA });
  await assert.rejects(port.close(), { code: "quota", samples: 2 });
  assert.ok(worker.terminated);
});

it("a page that is hidden takes no refusal away from who asks", async () => {
  const { worker, port, series } = await start();
  await port.append(series, [1], [1]);
  await turn();
  worker.take({ samples: 1, failure: QUOTA });
  port.hidden();
  await turn();
  await assert.rejects(port.ask({ kind: "flush" }), { code: "quota", samples: 1 });
});

it("what can be seen to be wrong rejects that very call, and is not sent", async () => {
  const { worker, port, series } = await start();
  await assert.rejects(port.append(series, [1, Infinity], [1, 2]), { code: "invalid", message: /^timestamps\[1\] is Infinity/ });
  await assert.rejects(port.append(series, Float64Array.of(NaN), [1]), { code: "invalid", message: /^timestamps\[0\] is NaN/ });
  await assert.rejects(port.append(series, [1], ["2"]), { code: "invalid" });
  await assert.rejects(
    port.appendRow((target) => target.fill(series), 9e15, [1]),
    { code: "invalid", message: /^the timestamp is 9000000000000000/ },
  );
  await turn();
  assert.equal(worker.appends.length, 0);
});

it("a worker that dies in the midst of a stream rejects who waits for room and all that comes, and says how many samples are in doubt", async () => {
  const { worker, port, series } = await start();
  const waiting = port.append(series, FULL, FULL);
  worker.onerror({ preventDefault() {}, message: "gone" });
  await assert.rejects(waiting, { code: "closed", samples: FULL.length });
  await assert.rejects(port.append(series, [1], [1]), { code: "closed", samples: FULL.length });
  await assert.rejects(port.ask({ kind: "sync" }), { code: "closed", samples: FULL.length });
});

it("a database that is fenced in the midst of a stream is told of with its own code", async () => {
  const { worker, port, series } = await start();
  await port.append(series, [1, 2], [1, 2]);
  worker.onmessage({ data: { kind: "ended", failure: ["locked", "another tab has the database"] } });
  await assert.rejects(port.append(series, [1], [1]), { code: "locked", samples: 2 });
});

it("a flush goes behind all that was appended before it", async () => {
  const { worker, port, series } = await start();
  await port.append(series, [1], [1]);
  const sent = [];
  const post = worker.postMessage.bind(worker);
  worker.postMessage = (message) => (sent.push(message.kind), post(message));
  await port.ask({ kind: "flush" });
  assert.deepEqual(sent, ["series", "append", "ask"]);
});
