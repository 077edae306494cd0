// Labels may be called anything, and are the same wherever they come out.
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

it("a label called __proto__ survives, with all that text escapes", async () => {
  const START = Date.UTC(2024, 2, 10, 1);
  const db = await open({ storage: "memory", clock: "manual", startTime: START });
  const labels = JSON.parse('{"__name__":"up","__proto__":"own","constructor":"\\"\\\\\\n\\u2028ü"}');
  await db.append(labels, [START], [1]);
  await db.flush();
  const { partitions } = await db.inspect();
  const found = [
    (await db.select("up"))[0].labels,
    (await db.labels("up"))[0],
    (await db.inspectPart(partitions[0].parts[0].id)).headers[0].labels,
  ];
  for (const one of found) {
    assert.deepEqual(new Map(Object.entries(one)), new Map(Object.entries(labels)));
    assert.equal(Object.getPrototypeOf(one), Object.prototype);
  }
  await db.close();
});
