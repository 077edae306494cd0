// The engine in its worker, in Chromium: what becomes of the page when the worker is gone, where no worker is allowed, and what a
// worker is for.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, describe, it } from "node:test";
import { openPage } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const index = `/package/${(await entry(".")).replace("./", "")}`;
const inline = `/package/${(await entry("./inline")).replace("./", "")}`;
const browser = await openPage({ mounts: { package: directory } });
after(() => browser.close());

/** A page of its own, since these tests change what is global in it. */
async function withPage(work, prepare = async () => {}) {
  const context = await browser.page.context().browser().newContext();
  const page = await context.newPage();
  try {
    await prepare(page);
    await page.goto(`${browser.url}/blank.html`);
    await page.evaluate(async (index) => {
      const Own = Worker;
      globalThis.workers = [];
      globalThis.Worker = class extends Own {
        constructor(...args) {
          super(...args);
          globalThis.workers.push(this);
        }
      };
      globalThis.sandglass = await import(index);
    }, index);
    await work(page);
  } finally {
    await context.close();
  }
}

describe("a worker that is gone", () => {
  /** In the page: a database with much to merge. */
  const openFilled = (page) =>
    page.evaluate(async () => {
      const db = await globalThis.sandglass.open({ name: "outlived", storage: "indexeddb" });
      globalThis.db = db;
      const column = Float64Array.from({ length: 150_000 }, (_, i) => Date.now() - i * 1000);
      for (let i = 0; i < 6; i++) {
        await db.append({ __name__: "x", i: String(i) }, column, column.map(Math.sin));
        await db.flush();
      }
    });

  /** In the page: one call of every kind, none of them waited for. `dies` ends the worker in the same breath. */
  const callAll = (page, dies) =>
    page.evaluate((dies) => {
      const { db } = globalThis;
      const handle = db.series({ __name__: "y" });
      const calls = {
        forceMerge: db.forceMerge(),
        append: db.append(handle, [Date.now()], [1]),
        appendLong: db.append(handle, new Float64Array(20_000), new Float64Array(20_000)),
        appendRow: db.appendRow([handle], Date.now(), [1]),
        flush: db.flush(),
        sync: db.sync(),
        select: db.select("x"),
        labels: db.labels(),
        inspect: db.inspect(),
        ingest: db.ingest("x 1", { format: "prometheus" }),
        fetch: db.fetch("/snapshot/create"),
        snapshot: db.snapshots.create(),
        close: db.close(),
      };
      const outcomeOf = (call) =>
        call.then(
          () => "fulfilled",
          ({ code }) => code,
        );
      globalThis.outcomes = Promise.all(Object.entries(calls).map(async ([name, call]) => [name, await outcomeOf(call)])).then(
        Object.fromEntries,
      );
      if (dies) globalThis.workers.at(-1).terminate();
    }, dies);

  const checkAfterwards = async (page) => {
    const { codes, message, thread } = await page.evaluate(async () => {
      const { db, sandglass } = globalThis;
      const later = [
        () => db.flush(),
        () => db.append({ __name__: "z" }, [1], [1]),
        () => db.series({ __name__: "z" }),
        () => db.now(),
        () => db.select("x"),
        () => new Response(db.export()).text().catch(() => db.inspect()),
      ];
      const codes = [];
      for (const call of later)
        codes.push(
          await Promise.resolve()
            .then(call)
            .then(
              () => "fulfilled",
              ({ code }) => code,
            ),
        );
      const { message } = await db.flush().catch((error) => error);
      const again = await sandglass.open({ name: "outlived", storage: "indexeddb" });
      const { thread } = again.opened;
      await again.close();
      await sandglass.destroy("outlived");
      return { codes, message, thread };
    });
    assert.deepEqual([...new Set(codes)], ["closed"]);
    assert.match(message, /worker.*open it again/);
    assert.equal(thread, "worker");
  };

  it("rejects what is pending and what comes, when the page has terminated it", () =>
    withPage(async (page) => {
      await openFilled(page);
      await callAll(page, true);
      const outcomes = await page.evaluate(() => globalThis.outcomes);
      // What was appended was on its way; the next append says how many samples are in doubt.
      const { append, appendLong, appendRow, ...others } = outcomes;
      assert.deepEqual([append, appendLong, appendRow], ["fulfilled", "fulfilled", "fulfilled"]);
      assert.deepEqual([...new Set(Object.values(others))], ["closed"], JSON.stringify(outcomes));
      assert.equal(await page.evaluate(() => globalThis.db.append({ __name__: "z" }, [1], [1]).catch(({ samples }) => samples)), 20_002);
      await checkAfterwards(page);
    }));

  it("rejects what is pending and what comes, when it has ended without a word", () =>
    withPage(async (page) => {
      await openFilled(page);
      const [worker] = page.workers();
      await Promise.all([callAll(page, false), worker.evaluate(() => globalThis.close()).catch(() => {})]);
      const outcomes = await page.evaluate(() => globalThis.outcomes);
      assert.equal(outcomes.close, "closed", JSON.stringify(outcomes));
      await checkAfterwards(page);
    }));

  it("rejects what is pending and what comes, when its code has failed", () =>
    withPage(async (page) => {
      await openFilled(page);
      const [worker] = page.workers();
      await Promise.all([
        callAll(page, false),
        worker
          .evaluate(
            () =>
              void setTimeout(() => {
                throw new Error("a fault of its own");
              }),
          )
          .catch(() => {}),
      ]);
      const outcomes = await page.evaluate(() => globalThis.outcomes);
      assert.equal(outcomes.close, "closed", JSON.stringify(outcomes));
      await checkAfterwards(page);
    }));

  it("is of no interest to a database that is closed already", () =>
    withPage(async (page) => {
      const late = await page.evaluate(async () => {
        const db = await globalThis.sandglass.open({ storage: "memory" });
        await db.close();
        const { message } = await db.flush().catch((error) => error);
        await db.close();
        return message;
      });
      assert.match(late, /^the database is closed/);
      for (const deadline = Date.now() + 10_000; page.workers().length > 0; await page.waitForTimeout(20))
        assert.ok(Date.now() < deadline, "the worker lives on");
    }));
});

describe("where workers are restricted", () => {
  /** In the page: what becomes of a database there, by storage. */
  const use = (page) =>
    page.evaluate(async () => {
      const { open, destroy } = globalThis.sandglass;
      const found = {};
      for (const storage of ["memory", "indexeddb", "opfs"]) {
        try {
          const db = await open({ name: `restricted-${storage}`, storage });
          await db.append({ __name__: "up" }, [Date.now()], [1]);
          await db.flush();
          found[storage] = `${db.opened.thread}, ${(await db.select("up")).length} series`;
          await db.close();
          await destroy(`restricted-${storage}`);
        } catch ({ code, message }) {
          found[storage] = `${code}: ${message}`;
        }
      }
      return found;
    });
  /** Lets everything that is loaded come with a policy. */
  const withPolicy = (policy) => (page) =>
    page.route("**/*", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), "content-security-policy": policy } });
    });

  it("a strict policy is kept, and the worker runs", () =>
    withPage(async (page) => {
      const refused = [];
      page.on("console", (message) => refused.push(message.text()));
      const found = await use(page);
      assert.deepEqual(found, { memory: "worker, 1 series", indexeddb: "worker, 1 series", opfs: "worker, 1 series" });
      assert.deepEqual(refused, []);
    }, withPolicy("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'")));

  it("without the worker's file its code is started from a text", () =>
    withPage(
      async (page) => {
        assert.deepEqual(await use(page), { memory: "worker, 1 series", indexeddb: "worker, 1 series", opfs: "worker, 1 series" });
      },
      (page) => page.route("**/worker.js", (route) => route.fulfill({ status: 404 })),
    ));

  it("a file that is no worker's, or one of another build, is not talked to", async () => {
    for (const body of ["<!doctype html>", 'postMessage({ kind: "hello", build: "0.0.0" })']) {
      await withPage(
        async (page) => assert.equal((await use(page)).memory, "worker, 1 series"),
        (page) =>
          page.route("**/worker.js", (route) =>
            route.fulfill({ body, contentType: body.startsWith("<") ? "text/html" : "text/javascript" }),
          ),
      );
    }
  });

  it("where no worker may run, the calling thread does the work, and OPFS says why it can't", () =>
    withPage(async (page) => {
      const found = await use(page);
      assert.deepEqual([found.memory, found.indexeddb], ["caller, 1 series", "caller, 1 series"]);
      assert.match(found.opfs, /^unsupported: .*dedicated worker/);
    }, withPolicy("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'")));

  it("a sandboxed frame has a database in memory, and is told that it can keep none", () =>
    withPage(
      async (page) => {
        await page.evaluate(() => {
          const frame = Object.assign(document.createElement("iframe"), { src: "/blank.html", sandbox: "allow-scripts" });
          return new Promise((resolve) => {
            frame.onload = resolve;
            document.body.append(frame);
          });
        });
        const [frame] = page.mainFrame().childFrames();
        const found = await frame.evaluate(async (index) => {
          const { open, databases, destroy } = await import(index);
          const outcome = (call) => call.then(String, ({ code }) => code);
          const inMemory = async () => {
            const db = await open({ storage: "memory" });
            await db.append({ __name__: "up" }, [Date.now()], [1]);
            await db.flush();
            const series = (await db.select("up")).length;
            await db.close();
            return `${db.opened.thread}, ${series} series`;
          };
          const refused = [
            open(),
            open({ storage: "indexeddb", ifLocked: "readonly" }),
            open({ storage: "opfs" }),
            databases(),
            destroy("any"),
          ];
          return [await outcome(inMemory()), ...(await Promise.all(refused.map(outcome)))];
        }, index);
        assert.deepEqual(found, ["worker, 1 series", ...Array(5).fill("unsupported")]);
      },
      (page) =>
        page.route("**/package/**", async (route) => {
          const response = await route.fetch();
          await route.fulfill({ response, headers: { ...response.headers(), "access-control-allow-origin": "*" } });
        }),
    ));

  it("an engine of another build is not run", async () => {
    const otherBuild = (page) =>
      page.route("**/sandglass.wasm", async (route) => {
        const response = await route.fetch();
        const body = await response.body();
        body[body.length - 1] ^= 1;
        await route.fulfill({ response, body });
      });
    await withPage(async (page) => assert.equal((await use(page)).memory, "worker, 1 series"), otherBuild);
    await withPage(
      async (page) => assert.match((await use(page)).memory, /^unsupported: .*sandglass\.wasm: it is not of the build/),
      async (page) => {
        await otherBuild(page);
        await page.route("**/embedded.js", (route) => route.fulfill({ status: 404 }));
      },
    );
  });

  it("a worker of one's own starts another", () =>
    withPage(async (page) => {
      const thread = await page.evaluate(async (index) => {
        const code = `import { open } from ${JSON.stringify(new URL(index, location.href).href)};
          const db = await open({ storage: "memory" });
          await db.append({ __name__: "up" }, [Date.now()], [1]);
          postMessage(db.opened.thread);
          await db.close();`;
        const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
        return new Promise((resolve, reject) => {
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = ({ message }) => reject(new Error(message));
        });
      }, index);
      assert.equal(thread, "worker");
    }));
});

describe("what a worker is for", () => {
  it("the page goes on while a million samples are written and merged", () =>
    withPage(async (page) => {
      const session = await page.context().newCDPSession(page);
      await session.send("Performance.enable");
      const used = async () => {
        const { metrics } = await session.send("Performance.getMetrics");
        const of = (wanted) => metrics.find(({ name }) => name === wanted).value;
        return { page: of("ThreadTime"), all: of("ProcessTime") };
      };
      await page.evaluate(async () => {
        globalThis.db = await globalThis.sandglass.open({ storage: "memory", retention: "100y" });
        globalThis.times = Float64Array.from({ length: 100_000 }, (_, i) => Date.now() - i * 1000);
        globalThis.columns = Array.from({ length: 10 }, (_, i) => globalThis.times.map((time) => Math.sin(time + i)));
      });
      const before = await used();
      await page.evaluate(async () => {
        const { db, times, columns } = globalThis;
        for (const [i, column] of columns.entries()) {
          await db.append({ __name__: "x", i: String(i) }, times, column);
          await db.flush();
        }
        await db.forceMerge();
        await db.close();
      });
      // Time of the processor, which is the same however much else there is to do: the page's thread has little of it.
      const after = await used();
      const share = (after.page - before.page) / (after.all - before.all);
      assert.ok(share < 0.25, `the page's thread had ${share} of the work`);
    }));

  for (const [where, entry, stored] of [
    ["worker", index, ["indexeddb", "opfs"]],
    ["page", inline, ["indexeddb"]],
  ]) {
    it(`200 databases that are opened and closed leave nothing: engine in the ${where}`, () =>
      withPage(async (page) => {
        const session = await page.context().newCDPSession(page);
        await page.evaluate(() => {
          const { instantiate } = WebAssembly;
          globalThis.memories = [];
          WebAssembly.instantiate = async (...args) => {
            const instance = await instantiate(...args);
            for (const exported of Object.values(instance.exports ?? {}))
              if (exported instanceof WebAssembly.Memory) globalThis.memories.push(new WeakRef(exported));
            return instance;
          };
        });
        const cycles = (count) =>
          page.evaluate(
            async ({ entry, count, stored }) => {
              const { open, destroy } = await import(entry);
              for (let i = 0; i < count; i++) {
                const storage = i % 4 === 0 ? stored[(i / 4) % stored.length] : "memory";
                const db = await open({ name: "cycle", storage });
                db.observe(() => {});
                await db.append({ __name__: "x", i: String(i) }, [Date.now()], [i]);
                await db.close();
              }
              // What was closed has left nothing open: each is there for the next one, and can be removed.
              const kept = [];
              for (const storage of stored) {
                const db = await open({ name: "cycle", storage });
                kept.push((await db.labels("x")).length);
                await db.close();
              }
              await destroy("cycle");
              return kept;
            },
            { entry, count, stored },
          );
        const measure = async () => {
          // What is let go of in one round is found in the next.
          for (let i = 0; i < 3; i++) {
            await session.send("HeapProfiler.collectGarbage");
            await page.waitForTimeout(50);
          }
          const { usedSize } = await session.send("Runtime.getHeapUsage");
          const memories = await page.evaluate(() => globalThis.memories.filter((memory) => memory.deref() !== undefined).length);
          return { usedSize, memories, workers: page.workers().length };
        };
        const each = (count) => stored.map(() => count / 4 / stored.length);
        assert.deepEqual(await cycles(24), each(24));
        const before = await measure();
        assert.deepEqual(await cycles(176), each(176));
        const after = await measure();
        assert.equal(after.workers, 0);
        assert.ok(
          after.memories <= Math.max(1, before.memories),
          `${after.memories} memories of WebAssembly are left, ${before.memories} before`,
        );
        assert.ok(after.usedSize < before.usedSize + 1e6, `the heap has grown from ${before.usedSize} to ${after.usedSize} bytes`);
      }));
  }
});
