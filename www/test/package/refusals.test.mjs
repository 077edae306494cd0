// What a page is told, and how soon, when its browser or its caller refuses: storage that is blocked, calls that are taken back, a
// page that is put away while it opens, and options that go with another storage.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, describe, it } from "node:test";
import { openPage } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const entries = {
  worker: `/package/${(await entry(".")).replace("./", "")}`,
  page: `/package/${(await entry("./inline")).replace("./", "")}`,
};
const browser = await openPage({ mounts: { package: directory } });
after(() => browser.close());

/** In a page of its own, since these tests change what is global in it: the value of a promise, or the code of its error. */
async function inPage(index, work, argument) {
  const context = await browser.page.context().browser().newContext();
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  try {
    await page.goto(`${browser.url}/blank.html`);
    await page.evaluate(async (index) => {
      globalThis.sandglass = await import(index);
      globalThis.outcome = (call) =>
        Promise.resolve()
          .then(call)
          .then(
            (value) => ["fulfilled", String(value)],
            ({ code, message }) => [code ?? "no code", message],
          );
      globalThis.pause = (ms, value) => new Promise((resolve) => setTimeout(resolve, ms, value));
      /** The outcome of a call that must not take long. */
      globalThis.soon = (call) => Promise.race([globalThis.outcome(call), globalThis.pause(1_000, ["nothing was heard"])]);
    }, index);
    const found = await page.evaluate(work, argument);
    assert.deepEqual(errors, []);
    return found;
  } finally {
    await context.close();
  }
}
const codes = (outcomes) => outcomes.map(([code]) => code);

for (const [where, index] of Object.entries(entries)) {
  describe(`engine in the ${where}`, () => {
    it("where the browser does not even show IndexedDB, memory works and the rest says why not", async () => {
      const outcomes = await inPage(index, async () => {
        const { open, databases, destroy } = sandglass;
        const refuse = () => {
          throw new DOMException("The operation is insecure.", "SecurityError");
        };
        Object.defineProperty(globalThis, "indexedDB", { get: refuse, configurable: true });
        const inMemory = async () => {
          const db = await open({ storage: "memory" });
          await db.append({ __name__: "up" }, [Date.now()], [1]);
          await db.flush();
          const { length } = await db.select("up");
          await db.close();
          return length;
        };
        const calls = [inMemory, () => open(), () => open({ storage: "indexeddb" }), () => databases(), () => destroy("any")];
        return Promise.all(calls.map(outcome));
      });
      assert.deepEqual(codes(outcomes), ["fulfilled", ...Array(4).fill("unsupported")]);
      assert.equal(outcomes[0][1], "1");
      for (const [, message] of outcomes.slice(1)) assert.match(message, /keeps no data for this page.*"memory"/);
    });

    it("what the browser throws has a code", async () => {
      const outcomes = await inPage(index, async () => {
        const { databases, destroy } = sandglass;
        const broken = () => {
          throw new DOMException("broken", "UnknownError");
        };
        IDBFactory.prototype.deleteDatabase = broken;
        const removed = await outcome(() => destroy("refused"));
        await (await navigator.storage.getDirectory()).getDirectoryHandle("sandglass", { create: true });
        FileSystemDirectoryHandle.prototype.keys = broken;
        return [removed, await outcome(() => databases())];
      });
      assert.deepEqual(codes(outcomes), ["storage", "storage"]);
      for (const [, message] of outcomes) assert.match(message, /broken/);
    });

    it("options that go with memory alone, and files that are none, are refused with words", async () => {
      const outcomes = await inPage(index, () => {
        const { open } = sandglass;
        const wishes = [
          { storage: "indexeddb", quotaBytes: 1e6 },
          { storage: "opfs", quotaBytes: 1e6 },
          { quotaBytes: 1e6 },
          { storage: "opfs", files: [] },
          { storage: "memory", files: 5 },
          { storage: "memory", files: ["a"] },
          { storage: "memory", files: [["a", () => {}]] },
          {
            storage: "memory",
            files: [
              ["a", new Uint8Array()],
              [5, new Uint8Array()],
            ],
          },
        ];
        return Promise.all(wishes.map((wish) => outcome(() => open(wish))));
      });
      assert.deepEqual(codes(outcomes), Array(8).fill("invalid"));
      for (const [, message] of outcomes.slice(0, 4)) assert.match(message, /quotaBytes need storage: "memory"/);
      assert.match(outcomes[4][1], /^files.*Uint8Array/);
      assert.deepEqual(
        outcomes.slice(5).map(([, message]) => /^files\[(\d)\]/.exec(message)?.[1]),
        ["0", "0", "1"],
      );
    });

    for (const storage of ["indexeddb", undefined])
      it(`an open that is taken back rejects at once, wherever it is, and holds nothing afterwards (storage: ${storage})`, async () => {
        const { given, again, held } = await inPage(
          index,
          async (storage) => {
            const { open } = sandglass;
            const { instantiate, compileStreaming } = WebAssembly;
            // The worker has an engine of its own; what the page waits for there is the code.
            WebAssembly.instantiate = async (...args) => (await pause(2_000), instantiate(...args));
            WebAssembly.compileStreaming = async (...args) => (await pause(2_000), compileStreaming(...args));
            const given = await soon(() => open({ name: "taken-back", storage, signal: AbortSignal.timeout(100) }));
            await pause(2_500);
            Object.assign(WebAssembly, { instantiate, compileStreaming });
            const opened = outcome(async () => (await open({ name: "taken-back", storage })).close());
            const again = await Promise.race([opened, pause(8_000, ["nothing was heard"])]);
            await pause(100);
            return { given, again, held: (await navigator.locks.query()).held.map(({ name }) => name) };
          },
          storage,
        );
        assert.equal(given[0], "aborted");
        assert.equal(again[0], "fulfilled", again[1]);
        assert.deepEqual(
          held.filter((name) => name.includes("taken-back")),
          [],
        );
      });

    it("a page that is put away while it opens gives up, and is in nobody's way", async () => {
      const { given, locks } = await inPage(index, async () => {
        const { open } = sandglass;
        let release;
        await new Promise((resolve) =>
          navigator.locks.request("sandglass/put-away-early", () => (resolve(), new Promise((free) => (release = free)))),
        );
        const opening = soon(() => open({ name: "put-away-early", storage: "indexeddb", ifLocked: "wait" }));
        while ((await navigator.locks.query()).pending.length === 0) await pause(10);
        dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
        const given = await opening;
        release();
        await pause(100);
        const { held, pending } = await navigator.locks.query();
        return { given, locks: [...held, ...pending].map(({ name }) => name) };
      });
      assert.equal(given[0], "closed");
      assert.match(given[1], /page away.*open it again/);
      assert.deepEqual(
        locks.filter((name) => name.includes("put-away-early")),
        [],
      );
    });

    it("a request whose body never ends can be taken back", async () => {
      const outcomes = await inPage(index, async () => {
        const db = await sandglass.open({ storage: "memory" });
        const endless = (signal) =>
          new Request("/internal/force_flush", { method: "POST", body: new ReadableStream(), duplex: "half", signal });
        const outcomes = [
          await soon(() => db.fetch(endless(AbortSignal.abort()))),
          await soon(() => db.fetch(endless(AbortSignal.timeout(50)))),
        ];
        outcomes.push(await outcome(async () => (await db.fetch("/internal/force_flush")).status), await outcome(() => db.close()));
        return outcomes;
      });
      assert.deepEqual(codes(outcomes), ["aborted", "aborted", "fulfilled", "fulfilled"], JSON.stringify(outcomes));
    });
  });
}
