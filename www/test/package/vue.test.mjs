// A database in Vue's own `reactive`, `ref` and `readonly`, in Node and in real Chromium, where its engine is in a worker. (The contract has a
// proxy that is more thorough than these.)
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as vue from "vue";
import { openPage } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));

/** What an application does with a database that lies in its state. Runs in Node and in the page. */
async function work({ open }, { isProxy, reactive, readonly, ref, shallowRef, markRaw }) {
  // A live query's instants are whole seconds.
  const now = Date.now() - 5000;
  const db = await open({ storage: "memory" });
  const handle = db.series({ __name__: "m", a: "1" });
  const state = reactive({ db, handle, list: [handle], labels: { __name__: "m", a: "1" }, times: [now - 1], values: [3] });
  await ref(db).value.append(ref(handle).value, [now - 3], [1]);
  await state.db.appendRow(state.list, now - 2, [2]);
  await state.db.append(state.labels, state.times, state.values);
  await shallowRef(db).value.append(markRaw(handle), [now], [4]);
  await state.db.flush();
  const reading = readonly(state);
  const [{ values }] = await reading.db.select("m");
  const answer = reactive(await readonly(db).query("sum(m)", { time: now, fresh: true }));
  const seen = await new Promise((resolve, reject) => {
    const stop = state.db.live("m", reactive({ range: "1m", step: "1s" }), (result) => (stop?.(), resolve(result.series.length)), reject);
  });
  const snapshot = await state.db.snapshots.create();
  const listed = (await readonly(ref(db)).value.snapshots.list()).includes(snapshot);
  const found = {
    values: [...values],
    answer: answer.series[0].value,
    seen,
    listed,
    storage: state.db.storage,
    proxies: [state.db, state.handle, ref(db).value].map(isProxy),
    isSame: state.db === db && state.handle === handle,
  };
  await readonly(state).db.close();
  found.closed = await db.flush().catch(({ code }) => code);
  return found;
}

const EXPECTED = {
  values: [1, 2, 3, 4],
  answer: 4,
  seen: 1,
  listed: true,
  storage: "memory",
  // Vue leaves alone what says that it is no plain object.
  proxies: [false, false, false],
  isSame: true,
  closed: "closed",
};

for (const name of [".", "./inline"]) {
  it(`in Node: ${name}`, async () => {
    const sandglass = await import(pathToFileURL(join(directory, await entry(name, "node"))).href);
    assert.deepEqual(await work(sandglass, vue), EXPECTED);
  });

  it(`in Chromium: ${name}`, async () => {
    const built = dirname(fileURLToPath(import.meta.resolve("vue/dist/vue.runtime.esm-browser.prod.js")));
    const browser = await openPage({ mounts: { package: directory, vue: built } });
    try {
      const found = await browser.page.evaluate(
        async ([work, sandglass, vue]) => new Function(`return (${work})`)()(await import(sandglass), await import(vue)),
        [work.toString(), `/package/${await entry(name)}`, "/vue/vue.runtime.esm-browser.prod.js"],
      );
      assert.deepEqual(found, EXPECTED);
      assert.deepEqual(browser.errors, []);
    } finally {
      await browser.close();
    }
  });
}
