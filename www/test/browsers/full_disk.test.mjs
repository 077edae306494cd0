// A profile on a small file system, of which Chromium gives three fifths to one origin: whoever writes is told by a code that it is
// full, reading goes on, and so does deleting, and when the origin has room again so does writing. Nothing that was acknowledged is lost.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { promisify } from "node:util";
import { visit } from "../package/persistent.mjs";
import { serve } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { COMBINATIONS, MOUNTS } from "./combinations.mjs";
import { SAMPLES } from "./filler.mjs";

const run = promisify(execFile);
const SIZE_MIB = 64;
/** Another file of the same origin, which is removed later. */
const BALLAST_MIB = 12;
/** What the snapshot holds that is deleted later: about six MiB. */
const SNAPSHOT_APPENDS = 50;

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const entries = { inline: `/package/${await entry("./inline")}`, index: `/package/${await entry(".")}` };

const disk = await temporaryDirectory("small-disk");
const whyNot = await run("mount", ["-t", "tmpfs", "-o", `size=${SIZE_MIB}m`, "sandglass-test", disk]).then(
  () => undefined,
  (error) =>
    `not run: a file system of ${SIZE_MIB} MiB can't be mounted, which only root may: ${String(error.stderr ?? error.message).trim()}`,
);
after(async () => {
  if (whyNot === undefined) await run("umount", ["--lazy", disk]);
  await rm(disk, { recursive: true, force: true });
});

describe(`a disk of ${SIZE_MIB} MiB`, { skip: whyNot }, async () => {
  const server = await serve({ package: directory, ...MOUNTS });
  after(() => server.close());

  for (const [name, { entry, ownWorker, options }] of Object.entries(COMBINATIONS)) {
    // What the disk says does not depend on the thread.
    if (entry === "inline") continue;

    /** Runs `work` in a browser on a profile of its own on the disk, with a database that is open and `ballast` beside it. */
    const onFullDisk = async (work) => {
      const profile = join(disk, name);
      await mkdir(profile);
      let browser = await visit(profile, server.url);
      const call = (method, ...args) =>
        browser.page.evaluate(([name, method, args]) => globalThis.places.call(name, method, ...args), [name, method, args]);
      const open = async () => {
        await browser.page.evaluate(
          async ({ name, ownWorker }) => {
            globalThis.places = await import("/browsers/places.mjs");
            await globalThis.places.begin({ name, module: "/browsers/filler.mjs", ownWorker });
          },
          { name, ownWorker },
        );
        await call("open", { entry: entries[entry], name, options });
      };
      const removeBallast = () => browser.page.evaluate(async () => (await navigator.storage.getDirectory()).removeEntry("ballast"));
      const killAndVisit = async () => {
        await browser.kill();
        browser = await visit(profile, server.url);
      };
      try {
        // Else the browser may make room by throwing the whole origin away, which is what "best effort" means.
        const devTools = await browser.context.newCDPSession(browser.page);
        await devTools.send("Browser.grantPermissions", { origin: server.url, permissions: ["durableStorage"] });
        assert.ok(await browser.page.evaluate(() => navigator.storage.persist()));
        await browser.page.evaluate(async (bytes) => {
          const file = await (await navigator.storage.getDirectory()).getFileHandle("ballast", { create: true });
          const writable = await file.createWritable();
          await writable.write(new Uint8Array(bytes));
          await writable.close();
        }, BALLAST_MIB << 20);
        await open();
        await work({ call, open, removeBallast, killAndVisit });
      } finally {
        await browser.close().catch(() => {});
        await rm(profile, { recursive: true, force: true });
      }
    };
    /** Fills the database, and shows that it is full, says so, and is read all the same. */
    const fill = async (call) => {
      const full = await call("fill", 2_000);
      assert.equal(full.failure?.code, "quota", full.failure?.message);
      assert.ok(full.failure.message.length > 10, full.failure.message);
      assert.ok(full.durable > 20, `${full.durable} appends fitted, then ${full.failure.message}`);
      assert.deepEqual(await call("check", full.durable), [], "while the disk is full");
      const again = await call("fill", 1);
      assert.equal(again.failure?.code, "quota", again.failure?.message);
      const { told, isDegraded, waitingBytes } = await call("told");
      assert.deepEqual([told, isDegraded, waitingBytes > 0], [["degraded quota"], true, true]);
      return full;
    };
    const restored = { told: ["restored quota"], isDegraded: false, waitingBytes: 0 };

    it(`${name}: fills up, is read, is freed, and is opened again after a crash`, { timeout: 180_000 }, (test) =>
      onFullDisk(async ({ call, open, removeBallast, killAndVisit }) => {
        const full = await fill(call);
        await removeBallast();
        assert.ok(await call("recover", 100), "sync() ends well when there is room again");
        assert.deepEqual(await call("told"), restored);
        const more = await call("fill", 10);
        assert.equal(more.failure, undefined);
        assert.ok(more.durable >= full.durable + 10);

        await killAndVisit();
        await open();
        assert.deepEqual(await call("check", more.durable), [], "after the crash");
        await call("close");
        test.diagnostic(
          `${full.durable * SAMPLES} samples fitted, then "${full.failure.code}: ${full.failure.message}"; ${more.durable * SAMPLES} found in the end`,
        );
      }),
    );

    it(`${name}: fills up, and a snapshot that is deleted makes room`, { timeout: 180_000 }, (test) =>
      onFullDisk(async ({ call }) => {
        assert.equal((await call("fill", SNAPSHOT_APPENDS)).failure, undefined);
        await call("keepSnapshot");
        assert.deepEqual(await call("told"), { told: [], isDegraded: false, waitingBytes: 0 });
        const full = await fill(call);
        const deletedMs = await call("deleteSnapshots");
        assert.ok(await call("recover", 100), "sync() ends well when a snapshot is gone");
        assert.deepEqual(await call("told"), restored);
        assert.deepEqual(await call("check", full.durable), [], "when a snapshot is gone");
        const more = await call("fill", 5);
        assert.equal(more.failure, undefined, "there is room for more");
        assert.deepEqual(await call("check", more.durable), []);
        await call("close");
        test.diagnostic(`the snapshot was gone ${deletedMs} ms after it was to be deleted`);
      }),
    );
  }
});
