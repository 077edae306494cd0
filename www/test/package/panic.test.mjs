// A panic of the shipped engine. There is no way to ask for one, so the test breaks the engine's own memory: it finds the record of a
// staging column, which it knows by the column's address, and makes the column empty. The next append reaches beyond its end.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, it } from "node:test";
import { pathToFileURL } from "node:url";
import { installPackage } from "../server/packed.mjs";

const { project, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const { open } = await import(
  pathToFileURL(`${project}/node_modules/sandglass/${(await entry("./inline", "node")).replace(/^.*node_modules\/sandglass\//, "")}`).href
);

const START = Date.UTC(2024, 2, 10, 1);
const options = { storage: "memory", clock: "manual", startTime: START };
/** A value that is nowhere else in the memory. */
const MARK = 1234.000001234;
const STAGED_SAMPLES = 32 * 1024;

/** Opens a database, and answers the memory of its engine, too. */
async function openWithMemory() {
  const { instantiate } = WebAssembly;
  let memory;
  WebAssembly.instantiate = async (...given) => {
    const instance = await instantiate(...given);
    ({ memory } = instance.exports);
    return instance;
  };
  try {
    return [await open(options), memory];
  } finally {
    WebAssembly.instantiate = instantiate;
  }
}

/** Makes the staging column of values empty; answers how many records of it were found: those that the stack still has from moving it, too. */
function breakStagingColumn(memory) {
  const floats = new Float64Array(memory.buffer);
  const words = new Uint32Array(memory.buffer);
  let found = 0;
  for (let at = floats.indexOf(MARK); at >= 0; at = floats.indexOf(MARK, at + 1)) {
    // A vector is its capacity, its address and its length, in an order that is the compiler's.
    for (let word = words.indexOf(at * 8); word >= 0; word = words.indexOf(at * 8, word + 1)) {
      const around = [-2, -1, 1, 2].map((step) => word + step).filter((place) => words[place] === STAGED_SAMPLES);
      if (around.length < 2) continue;
      for (const place of around) words[place] = 0;
      found++;
    }
  }
  return found;
}

it("a panic is told with its message and place, ends its database alone, and open opens anew", async () => {
  const [db, memory] = await openWithMemory();
  const other = await open(options);
  await other.append({ __name__: "up" }, [START], [1]);
  const series = db.series({ __name__: "up" });
  await db.append(series, [START], [MARK]);
  const waiting = db.tick(1_000_000);
  assert.ok(breakStagingColumn(memory) > 0, "the record of the column was not found");

  const words =
    /^the engine has stopped: range end index 1 out of range for slice of length 0 \(src\/wasm\.rs:\d+\) < wasm-function\[\d+\]:0x[0-9a-f]+/;
  await assert.rejects(
    db.append(series, [START + 1], [1]),
    (error) => error.code === "internal" && error.name === "SandglassError" && words.test(error.message),
  );
  await assert.rejects(waiting, { code: "internal", message: words });
  await assert.rejects(db.inspect(), { code: "internal", message: words });
  await assert.rejects(db.close(), { code: "internal", message: words });

  await other.flush();
  assert.deepEqual([...(await other.select("up"))[0].values], [1]);
  await other.close();
  const next = await open(options);
  await next.append({ __name__: "up" }, [START], [2]);
  await next.flush();
  assert.deepEqual([...(await next.select("up"))[0].values], [2]);
  await next.close();
});
