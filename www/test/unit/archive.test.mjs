// Ranges of a snapshot at a URL whose server falls silent, on a clock that the test moves.
import assert from "node:assert/strict";
import { afterEach, beforeEach, it, mock } from "node:test";
import { source } from "./source.mjs";

const { read } = await source("storage/archive");
const FILE = { path: "", url: "https://host.example/snapshot.tar", size: 100, version: { tag: null, modified: null } };

const { fetch } = globalThis;
beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => {
  mock.timers.reset();
  globalThis.fetch = fetch;
});
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Answers with what the test sends, or never; a request that is given up fails as fetch's do. */
function serve(answers) {
  const server = { send: undefined, wasGivenUp: false };
  globalThis.fetch = (_, { signal }) =>
    new Promise((resolve, reject) => {
      let body;
      signal.addEventListener("abort", () => {
        server.wasGivenUp = true;
        body?.error(signal.reason);
        reject(signal.reason);
      });
      const init = { status: 206, headers: { "Content-Range": "bytes 0-2/100" } };
      if (answers) resolve(new Response(new ReadableStream({ start: (controller) => void (body = controller) }), init));
      server.send = (bytes) => (bytes === undefined ? body.close() : body.enqueue(bytes));
    });
  return server;
}

it("a server that does not answer is waited for 30 seconds", async () => {
  const server = serve(false);
  const reading = read(FILE, 10, 20);
  const refused = assert.rejects(reading, {
    code: "storage",
    message: /snapshot\.tar cannot be fetched \(bytes=10-29\): its server has sent nothing for 30 seconds/,
  });
  await turn();
  mock.timers.tick(29_999);
  await turn();
  assert.ok(!server.wasGivenUp);
  mock.timers.tick(1);
  await refused;
});

it("one that goes on sending has all the time it needs, until it stops", async () => {
  for (const stops of [false, true]) {
    const server = serve(true);
    const reading = read(FILE, 0, 3);
    reading.catch(() => {});
    for (let at = 0; at < 2; at++) {
      await turn();
      mock.timers.tick(20_000);
      server.send(Uint8Array.of(at));
    }
    await turn();
    mock.timers.tick(20_000);
    if (stops) mock.timers.tick(10_000);
    else {
      server.send(Uint8Array.of(2));
      server.send(undefined);
    }
    if (stops) await assert.rejects(reading, { code: "storage", message: /nothing for 30 seconds/ });
    else assert.deepEqual(await reading, Uint8Array.of(0, 1, 2));
  }
});

it("the caller's signal ends the request", async () => {
  const server = serve(false);
  const control = new AbortController();
  const refused = assert.rejects(read(FILE, 0, 3, control.signal), { code: "aborted" });
  await turn();
  control.abort();
  await refused;
  assert.ok(server.wasGivenUp);
});

it("a file is another one when its server says so, and not when one of its servers counts in its own way", async () => {
  const opened = { tag: '"a"', modified: "Mon, 30 Nov 2026 08:00:00 GMT" };
  const other = { tag: '"b"', modified: "Mon, 30 Nov 2026 09:00:00 GMT" };
  const silent = { tag: null, modified: null };
  for (const [isOther, before, now] of [
    [false, opened, opened],
    [false, opened, silent],
    [false, silent, other],
    [false, opened, { ...silent, modified: opened.modified }],
    [false, opened, { ...other, modified: opened.modified }],
    [false, opened, { ...other, tag: opened.tag }],
    [true, opened, other],
    [true, opened, { ...silent, tag: other.tag }],
    [true, { ...silent, modified: opened.modified }, other],
  ]) {
    const headers = {
      "Content-Range": "bytes 0-2/100",
      ...(now.tag && { ETag: now.tag }),
      ...(now.modified && { "Last-Modified": now.modified }),
    };
    globalThis.fetch = async () => new Response(Uint8Array.of(1, 2, 3), { status: 206, headers });
    const reading = read({ ...FILE, version: before }, 0, 3);
    if (isOther) await assert.rejects(reading, { code: "storage", message: /has changed since the snapshot was opened/ });
    else assert.deepEqual(await reading, Uint8Array.of(1, 2, 3), JSON.stringify([before, now]));
  }
});
