// Surroundings that are not a plain page or a plain Node: other realms, half of a browser, policies.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import vm from "node:vm";
import { openPage } from "../server/chromium.mjs";
import { installPackage } from "../server/packed.mjs";

const { project, directory, entry } = await installPackage();
after(() => rm(project, { recursive: true, force: true }));
const { open } = await import(pathToFileURL(join(directory, await entry(".", "node"))).href);
const START = Date.UTC(2024, 2, 10, 1);
const memory = (options) => open({ storage: "memory", clock: "manual", startTime: START, ...options });

describe("objects of another realm", () => {
  const realm = (code, globals = {}) => vm.runInNewContext(code, globals);

  it("are taken as columns, with the bits of a staleness marker", async () => {
    const db = await memory();
    const up = db.series({ __name__: "up" });
    await db.append(up, realm("Float64Array.of(t)", { t: START }), realm("Float64Array.of(1)"));
    await db.append(up, realm("BigInt64Array.of(BigInt(t))", { t: START + 1 }), [2]);
    const marker = realm("const bits = BigUint64Array.of(0n, 0x7ff0000000000002n); new Float64Array(bits.buffer, 8)");
    await db.append(up, realm("[t]", { t: START + 2 }), marker);
    await db.appendRow(realm("[up]", { up }), START + 3, realm("new Float64Array([0, 4]).subarray(1)"));
    const [{ timestamps, values }] = await db.select("up", { fresh: true });
    assert.deepEqual([...timestamps], [START, START + 1, START + 2, START + 3]);
    assert.equal(new BigUint64Array(values.buffer, values.byteOffset)[2], 0x7ff0000000000002n);
    assert.deepEqual([values[0], values[1], values[3]], [1, 2, 4]);
    await assert.rejects(db.append(up, realm("new Float32Array(1)"), [1]), { code: "invalid" });
    await assert.rejects(db.append(up, { [Symbol.toStringTag]: "Float64Array", length: 1 }, [1]), { code: "invalid" });
    await db.close();
  });

  it("are taken as bodies and files", async () => {
    const db = await memory();
    const bytes = (name) => [...`${name} 1\n`].map((character) => character.charCodeAt(0));
    const bodies = [
      (name) => realm("new Uint8Array(bytes)", { bytes: bytes(name) }),
      (name) => realm("new Uint8Array(bytes).buffer", { bytes: bytes(name) }),
      (name) => realm("new DataView(new Uint8Array(bytes).buffer)", { bytes: bytes(name) }),
      (name) => Buffer.from(`${name} 1\n`),
      (name) => new DataView(Uint8Array.from(bytes(name)).buffer),
      (name) => new File([`${name} 1\n`], "metrics.txt"),
    ];
    for (const [i, body] of bodies.entries()) {
      assert.equal((await db.ingest(body(`body_${i}`), { format: "prometheus", timestamp: START })).samples, 1, `body ${i}`);
    }
    assert.equal((await db.labels(undefined, { fresh: true })).length, bodies.length);
    const snapshot = await db.snapshots.create();
    assert.ok(snapshot);
    await db.close();
    const files = realm("[['data/small/2024_03/parts', new Uint8Array(3)]]");
    const opened = await memory({ files });
    assert.ok((await opened.inspect()).fileSystem.storedBytes >= 3);
    await opened.close();
  });
});

describe("one signal", () => {
  it("serves any number of calls without a warning, and ends all that wait", async () => {
    const warnings = [];
    const warn = (warning) => warnings.push(warning.name);
    process.on("warning", warn);
    const db = await memory();
    const control = new AbortController();
    const { signal } = control;
    await Promise.all(Array.from({ length: 30 }, () => db.select("up", { signal })));
    const ended = [];
    const calls = Array.from({ length: 30 }, () => db.flush({ signal }).catch(({ code }) => ended.push(code)));
    control.abort();
    await Promise.all(calls);
    assert.deepEqual(ended, Array(30).fill("aborted"));
    // Node tells in a turn of its own.
    await new Promise((resolve) => setTimeout(resolve));
    process.off("warning", warn);
    assert.deepEqual(warnings, []);
    await db.close();
  });
});

describe("half of a browser, as jsdom is", () => {
  /** As jsdom's: of another realm, and without `stream` and, as older ones, without `arrayBuffer`. */
  class HalfBlob {
    constructor(text, withBuffer) {
      this.text_ = text;
      if (withBuffer) this.arrayBuffer = async () => new TextEncoder().encode(text).buffer;
    }
    get [Symbol.toStringTag]() {
      return "Blob";
    }
  }

  it("blobs without a stream are read", async () => {
    const db = await memory();
    const ingest = (blob) => db.ingest(blob, { format: "prometheus", timestamp: START });
    assert.equal((await ingest(new HalfBlob("a 1\n", true))).samples, 1);
    await assert.rejects(ingest(new HalfBlob("b 1\n", false)), { code: "invalid", message: /bytes/ });
    globalThis.FileReader = class {
      readAsArrayBuffer(blob) {
        this.result = new TextEncoder().encode(blob.text_).buffer;
        this.onload();
      }
    };
    try {
      assert.equal((await ingest(new HalfBlob("b 1\n", false))).samples, 1);
    } finally {
      delete globalThis.FileReader;
    }
    await db.close();
  });

  it("what is missing is named, with a code", async () => {
    const db = await memory();
    for (const [name, call] of [
      ["ReadableStream", async () => db.export()],
      ["ReadableStream", async () => db.snapshots.download("20240310010000-1")],
      ["TextEncoder", () => db.ingest("up 1\n", { format: "prometheus" })],
    ]) {
      const real = globalThis[name];
      delete globalThis[name];
      try {
        await assert.rejects(call, { code: "unsupported", message: new RegExp(name) });
        assert.equal((await db.ingest(Uint8Array.of(10), { format: "prometheus" })).samples, 0);
      } finally {
        globalThis[name] = real;
      }
    }
    await db.close();
  });
});

it("hints go to the console, once", async () => {
  await writeFile(
    join(project, "hints.mjs"),
    `import { open } from "sandglass";
const db = await open({ storage: "memory" });
for (let i = 0; i < 3; i++) await db.append({ __name__: "t" }, [Date.now() / 1000], [1]);
await db.flush();
for (let i = 0; i < 3; i++) await db.queryRange("1", { start: 0, end: 600_000, step: 15 });
await db.close();
`,
  );
  const { stderr } = await promisify(execFile)(process.execPath, ["hints.mjs"], { cwd: project });
  assert.equal(stderr.match(/sandglass: all 1 samples that came together were dropped: .*seconds.*/g)?.length, 1, stderr);
  assert.equal(stderr.match(/sandglass: step: 15 is 15 milliseconds; write "15s"/g)?.length, 1, stderr);
});

describe("pages that may not do everything", async () => {
  const { build } = await import("esbuild");
  const app = (options) => `import { open } from "sandglass";
const say = (said) => { document.title = said; parent.postMessage(said, "*"); };
(async () => {
  const db = await open(${options});
  await db.append({ __name__: "up", job: "demo" }, [Date.now() - 1, Date.now()], [1, 0]);
  await db.flush();
  const [{ values }] = await db.select('up{job=~"d.m[o-p]"}');
  await db.close();
  return values.length + " samples, " + db.opened.storage;
})().then(say, (error) => say("failed: " + error.code + " " + error.message));
`;
  const site = join(project, "site");
  await mkdir(site);
  for (const [name, options] of [
    ["default", ""],
    ["memory", '{ storage: "memory" }'],
  ]) {
    await writeFile(join(project, `${name}.js`), app(options));
    for (const format of ["iife", "esm"]) {
      await build({
        entryPoints: [join(project, `${name}.js`)],
        bundle: true,
        format,
        outfile: join(site, `${name}.${format}.js`),
        logLevel: "silent",
      });
    }
    await writeFile(join(site, `${name}.html`), `<!doctype html><title>-</title><script src="${name}.iife.js"></script>`);
    await writeFile(
      join(site, `${name}.framed.html`),
      `<!doctype html><title>-</title><script>onmessage = ({ data }) => { document.title = data; };</script>
<iframe sandbox="allow-scripts" src="${name}.html"></iframe>`,
    );
  }
  for (const [name, policy] of [
    ["strict", "script-src 'self'; worker-src 'self' blob:"],
    ["wasm", "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:"],
  ]) {
    await writeFile(
      join(site, `${name}.html`),
      `<!doctype html><title>-</title><meta http-equiv="Content-Security-Policy" content="${policy}"><script type="module" src="memory.esm.js"></script>`,
    );
  }
  const browser = await openPage({ mounts: { site } });
  after(() => browser.close());
  const { page, url } = browser;
  const titleOf = async (address) => {
    await page.goto(address);
    await page.waitForFunction(() => /samples|failed/.test(document.title), undefined, { timeout: 20_000 });
    return page.title();
  };

  it("a classic script, over http", async () => {
    assert.equal(await titleOf(`${url}/site/default.html`), "2 samples, opfs");
  });

  it("a classic script from file:", async () => {
    assert.equal(await titleOf(pathToFileURL(join(site, "memory.html")).href), "2 samples, memory");
    assert.match(await titleOf(pathToFileURL(join(site, "default.html")).href), /^2 samples, indexeddb|^failed: unsupported /);
  });

  it("a sandboxed frame", async () => {
    assert.equal(await titleOf(`${url}/site/memory.framed.html`), "2 samples, memory");
    assert.match(await titleOf(`${url}/site/default.framed.html`), /^failed: unsupported .*sandboxed.*"memory"/);
  });

  it("a strict policy, whose cure is named", async () => {
    assert.match(await titleOf(`${url}/site/strict.html`), /^failed: unsupported .*'wasm-unsafe-eval'/);
    assert.equal(await titleOf(`${url}/site/wasm.html`), "2 samples, memory");
  });
});
