// One database for all that open its name, in one page and in several: each gets a whole object, whoever has the engine, and goes on
// when that page closes, dies, sleeps or is put away.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { visit } from "../package/persistent.mjs";
import { serve } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { COMBINATIONS, MOUNTS } from "./combinations.mjs";

const package_ = await installPackage();
after(() => rm(package_.project, { recursive: true, force: true }));
const entries = { inline: `/package/${await package_.entry("./inline")}`, index: `/package/${await package_.entry(".")}` };

/** Longer than any call takes here, a page with the engine that is dead or asleep included. */
const DEADLINE_MS = 40_000;

for (const [combination, { entry, options }] of Object.entries(COMBINATIONS)) {
  describe(`pages that share: ${combination}`, async () => {
    const server = await serve({ package: package_.directory, ...MOUNTS });
    const profile = await temporaryDirectory("share");
    const { page: first, context, close, freeze } = await visit(profile, server.url);
    after(async () => {
      await close();
      await server.close();
      await rm(profile, { recursive: true, force: true });
    });

    /** In a page: code with `sandglass`, `options` of open, `argument` and what it keeps in `globalThis`; its value, or the code of its error. */
    const run = (page, work, argument) =>
      page.evaluate(
        async ({ entry, options, work, argument, deadline }) => {
          const sandglass = await import(entry);
          const late = new Promise((resolve) => setTimeout(resolve, deadline, { code: "nothing was heard in time" }));
          const call = new Function("sandglass", "options", "argument", `return (async () => { ${work} })()`)(sandglass, options, argument);
          const outcome = call.then(
            (value) => ({ value }),
            ({ code, message }) => ({ code: code ?? "none", message }),
          );
          return Promise.race([outcome, late]);
        },
        { entry: entries[entry], options: { retention: "100y", ...options }, work, argument, deadline: DEADLINE_MS },
      );
    const value = async (page, work, argument) => {
      const outcome = await run(page, work, argument);
      assert.ok("value" in outcome, JSON.stringify(outcome));
      return outcome.value;
    };
    const tab = async () => {
      const page = await context.newPage();
      await page.goto(`${server.url}/blank.html`);
      return page;
    };
    const OPEN = `
      const db = (globalThis.db = await sandglass.open({ name: argument, ...options }));
      globalThis.end = undefined;
      void db.closed.then(({ reason, error }) => (globalThis.end = [reason, error?.code]));
      globalThis.write = (from, count = 1) => db.append(
        { __name__: "shared" }, Array.from({ length: count }, (_, i) => 1.7e12 + from + i), Array.from({ length: count }, (_, i) => from + i));
      globalThis.read = async () => { await db.flush(); return (await db.select("shared")).flatMap(({ values }) => [...values]).sort((a, b) => a - b); };
      return db.opened.role;`;
    const open = async (page, name) => assert.equal(await value(page, OPEN, name), "writer");
    const write = (page, from, count) => value(page, `await globalThis.write(...argument)`, [from, count]);
    /** What the page has appended is with the engine when it resolves; an append alone may still be on its way to another page. */
    const flush = (page) => value(page, "await globalThis.db.flush()");
    const read = (page) => value(page, "return globalThis.read()");
    const upTo = (count) => Array.from({ length: count }, (_, i) => i);
    const end = (page) => value(page, "await globalThis.db.close(); await globalThis.db.closed; return globalThis.end.join()");

    it("two read what either has written, and the last to close leaves it whole", async () => {
      const second = await tab();
      await open(first, "two");
      await open(second, "two");
      await write(first, 0);
      await write(second, 1);
      await write(first, 2);
      await flush(second);
      assert.deepEqual(await read(first), upTo(3));
      assert.deepEqual(await read(second), upTo(3));
      assert.deepEqual(await end(first), "closed,");
      await write(second, 3);
      assert.deepEqual(await read(second), upTo(4));
      assert.deepEqual(await end(second), "closed,");
      await open(first, "two");
      assert.deepEqual(await read(first), upTo(4));
      await end(first);
      await second.close();
    });

    it("opened at the same instant by several, all get it, and destroy is refused until all have closed", async () => {
      const pages = [first, await tab(), await tab(), await tab()];
      await Promise.all(pages.map((page) => open(page, "many")));
      await Promise.all(pages.map((page, i) => write(page, i * 10, 10)));
      await Promise.all(pages.map(flush));
      for (const page of pages) assert.deepEqual(await read(page), upTo(40));
      assert.equal((await run(pages[3], "await sandglass.destroy('many')")).code, "locked");
      await Promise.all(pages.map(end));
      assert.equal(await value(first, "await sandglass.destroy('many'); return (await sandglass.databases()).includes('many')"), false);
      for (const page of pages.slice(1)) await page.close();
    });

    it("ten components of a page have an object each, with listeners and closings of their own", async () => {
      const found = await value(
        first,
        `
        const dbs = await Promise.all(Array.from({ length: 10 }, () => sandglass.open({ name: "components", ...options })));
        const heard = dbs.map(() => 0);
        dbs.forEach((db, i) => db.observe((event) => event.type === "rowsAdded" && heard[i]++));
        await Promise.all(dbs.map((db, i) => db.append({ __name__: "c", i: String(i) }, [1.7e12], [i])));
        await dbs[0].flush();
        const seen = (await dbs[9].labels("c")).length;
        await Promise.all(dbs.slice(0, 9).map((db) => db.close()));
        const left = (await dbs[9].select("c")).length;
        const refused = await dbs[0].select("c").catch(({ code }) => code);
        await dbs[9].close();
        return { seen, left, refused, heard: heard.every((count) => count > 0) };`,
      );
      assert.deepEqual(found, { seen: 10, left: 10, refused: "closed", heard: true });
    });

    it("a framework that mounts twice and takes the first opening back gets its database", async () => {
      const found = await value(
        first,
        `
        const mount = () => {
          const control = new AbortController();
          const opening = sandglass.open({ name: "strict", signal: control.signal, ...options });
          return { opening: opening.catch(({ code }) => code), unmount: () => control.abort() };
        };
        const mounted = mount();
        mounted.unmount();
        const again = mount();
        const db = await again.opening;
        await db.append({ __name__: "s" }, [1.7e12], [1]);
        await db.flush();
        const found = (await db.select("s")).length;
        // Hot reload: the old object is left open.
        const next = await sandglass.open({ name: "strict", ...options });
        const alsoFound = (await next.select("s")).length;
        await next.close();
        await db.close();
        return [await mounted.opening, found, alsoFound];`,
      );
      assert.deepEqual(found, ["aborted", 1, 1]);
    });

    it("words of locked tell this page from another", async () => {
      await open(first, "words");
      const here = await run(first, "await sandglass.open({ name: 'words', ...options, ifLocked: 'fail' })");
      const second = await tab();
      const there = await run(second, "await sandglass.open({ name: 'words', ...options, ifLocked: 'fail' })");
      assert.deepEqual([here.code, there.code], ["locked", "locked"]);
      assert.match(here.message, /in this page/);
      assert.match(there.message, /another tab/);
      await end(first);
      await second.close();
    });

    it("when the page with the engine closes, calls of the others come to their end", async () => {
      const [holder, other] = [await tab(), await tab()];
      await open(holder, "closing");
      await open(other, "closing");
      await write(holder, 0, 10);
      await write(other, 10, 10);
      const calls = value(
        other,
        `
        const lasts = performance.now() + argument;
        let at = 20;
        for (; performance.now() < lasts; at++) { await globalThis.write(at); if (at % 7 === 0) await globalThis.db.sync(); if (at % 50 === 0) await globalThis.read(); await new Promise((r) => setTimeout(r, 1)); }
        return at;`,
        1_500,
      );
      await sleep(300);
      await end(holder);
      await holder.close();
      const at = await calls;
      assert.deepEqual(await read(other), upTo(at));
      await end(other);
      await other.close();
    });

    it("when the page with the engine closes behind much that the other has appended, nothing is lost, and nothing is there twice", async () => {
      for (let round = 0; round < 4; round++) {
        const [holder, other] = [await tab(), await tab()];
        await open(holder, `much-${round}`);
        await open(other, `much-${round}`);
        await write(holder, 0, 10);
        await value(
          other,
          "await Promise.all(Array.from({ length: 40 }, (_, i) => globalThis.write(10 + i * 1_000, 1_000))); await globalThis.db.flush()",
        );
        await sleep(round * 30);
        await holder.close({ runBeforeUnload: false });
        assert.deepEqual(await read(other), upTo(40_010));
        await end(other);
        await other.close();
      }
    });

    it("a body that one engine has taken in part and another goes on with is interrupted", async () => {
      const [holder, other] = [await tab(), await tab()];
      await open(holder, "body");
      await open(other, "body");
      await value(
        other,
        `
        const feed = (i) => globalThis.body.enqueue(new TextEncoder().encode(\`line \${i} \${1.7e12 + i}\\n\`));
        globalThis.feed = feed;
        const stream = new ReadableStream({ start: (controller) => void (globalThis.body = controller) });
        globalThis.going = globalThis.db.ingest(stream, { format: "prometheus" });
        globalThis.going.catch(() => {});
        feed(0);
        for (let found = []; found.length === 0; found = await globalThis.db.select("line", { fresh: true })) await new Promise((r) => setTimeout(r, 20));`,
      );
      await end(holder);
      const outcome = await value(
        other,
        `
        for (let i = 1; i < 200; i++) globalThis.feed(i);
        globalThis.body.close();
        return globalThis.going.then(() => "taken", ({ code, tookEffect }) => [code, tookEffect].join());`,
      );
      assert.equal(outcome, "interrupted,unknown");
      await end(other);
      await Promise.all([holder.close(), other.close()]);
    });

    it("when the page with the engine is killed, the other goes on with all that it has appended", async () => {
      const [holder, other] = [await tab(), await tab()];
      await open(holder, "killed");
      await open(other, "killed");
      await write(holder, 0, 10);
      await value(holder, "await globalThis.db.sync()");
      const calls = value(
        other,
        `
        const lasts = performance.now() + argument;
        let at = 10;
        for (; performance.now() < lasts; at++) { await globalThis.write(at); await new Promise((r) => setTimeout(r, 2)); }
        await globalThis.db.sync();
        return at;`,
        2_500,
      );
      await sleep(1_200);
      const session = await context.newCDPSession(holder);
      const gone = holder.waitForEvent("crash");
      session.send("Page.crash").catch(() => {});
      await gone;
      const at = await calls;
      const found = await read(other);
      // What became durable in the very moment of the kill may have been sent once more.
      assert.deepEqual([...new Set(found)], upTo(at));
      await end(other);
      await Promise.all([holder.close(), other.close()]);
    });

    it("a page that the browser puts away hands over, and gets back in", async () => {
      const [holder, other] = [await tab(), await tab()];
      await open(holder, "away");
      await open(other, "away");
      await write(holder, 0);
      await write(other, 1);
      await value(holder, "await globalThis.db.sync(); dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))");
      await write(other, 2);
      assert.deepEqual(await read(other), upTo(3));
      // A call of the page that is away waits till it is back.
      const waiting = value(
        holder,
        "setTimeout(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })), 300); return globalThis.read()",
      );
      assert.deepEqual(await waiting, upTo(3));
      await write(holder, 3);
      // The engine has moved to the other page, and an append is on its way there.
      await value(holder, "await globalThis.db.flush()");
      assert.deepEqual(await read(other), upTo(4));
      assert.equal(await value(holder, "return globalThis.end ?? 'open'"), "open");
      await Promise.all([end(holder), end(other)]);
      await Promise.all([holder.close(), other.close()]);
    });

    if (options.storage === "indexeddb")
      it("when the page with the engine sleeps, a third page goes on with the one that has taken over", async () => {
        const [holder, second, third] = [await tab(), await tab(), await tab()];
        for (const page of [holder, second, third]) await open(page, "three");
        await write(holder, 0);
        await value(holder, "await globalThis.db.sync()");
        await write(second, 1);
        await write(third, 2);
        // What its page does not know to be stored it sends again.
        for (const page of [second, third]) await value(page, "await globalThis.db.sync()");
        const thaw = await freeze(holder);
        await write(second, 3);
        assert.deepEqual(await read(second), upTo(4));
        await write(third, 4);
        assert.deepEqual(await read(third), upTo(5));
        thaw();
        await Promise.all([end(second), end(third)]);
        await Promise.all([holder.close(), second.close(), third.close()]);
      });

    it("a page with the engine that sleeps keeps nobody for ever", async () => {
      const [holder, other] = [await tab(), await tab()];
      await open(holder, "sleep");
      await open(other, "sleep");
      await write(holder, 0);
      await write(other, 1);
      await value(other, "await globalThis.db.sync()");
      const thaw = await freeze(holder);
      await write(other, 2);
      const outcome = await run(other, "return globalThis.read()");
      if (options.storage === "opfs") {
        assert.equal(outcome.code, "locked", JSON.stringify(outcome));
        thaw();
        assert.deepEqual(await read(other), upTo(3));
      } else {
        assert.deepEqual(outcome, { value: upTo(3) });
        thaw();
        // The one that slept is told, and changes nothing.
        await run(holder, "await globalThis.write(9); await globalThis.db.sync()");
        assert.deepEqual(await value(holder, "await new Promise((r) => setTimeout(r, 200)); return globalThis.end.join()"), "lost,locked");
        assert.deepEqual(await read(other), upTo(3));
        await open(holder, "sleep");
        assert.deepEqual(await read(holder), upTo(3));
      }
      await Promise.all([end(holder), end(other)]);
      await Promise.all([holder.close(), other.close()]);
    });
  });
}
