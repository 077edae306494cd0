// What the package promises of snapshots that go from one database to another, or are looked at where they lie.

import { equal, fails, ok } from "./assert.mjs";

/** An hour into 2024-03-10. */
const START = Date.UTC(2024, 2, 10, 1);
const LAYOUTS = {
  "v1.72": "VictoriaMetrics up to 1.89",
  "v1.93": "VictoriaMetrics 1.90 to 1.132",
  "v1.150": "VictoriaMetrics 1.133 and later",
};

const text = (stream) => new Response(stream).text();
const sorted = async (db) => (await text(db.export())).trim().split("\n").sort();

/** A database of some series in two months, with one that was deleted by nobody. */
async function filled(open) {
  const db = await open();
  for (const job of ["a", "b", "c"]) {
    const times = Array.from({ length: 500 }, (_, n) => START - n * 3_600_000);
    await db.append(
      { __name__: "up", job },
      times,
      times.map((_, n) => n / 4),
    );
  }
  return db;
}

async function packed(db, layout) {
  const name = await db.snapshots.create();
  return new Response(db.snapshots.download(name, layout && { layout })).blob();
}

const zipped = (blob) => new Response(blob.stream().pipeThrough(new CompressionStream("gzip"))).blob();

/** The files of a tar, whose names are short enough for its plainest form or stand in a record before. */
async function filesOf(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const string = (from, to) => new TextDecoder().decode(bytes.subarray(from, to)).replace(/\0.*$/s, "");
  const files = [];
  let long;
  for (let at = 0; bytes[at] !== 0 && at < bytes.length; ) {
    const size = Number.parseInt(string(at + 124, at + 136), 8);
    const kind = String.fromCharCode(bytes[at + 156]);
    const content = bytes.slice(at + 512, at + 512 + size);
    const prefix = string(at + 345, at + 500);
    if (kind === "x") long = /(?:^|\n)\d+ path=([^\n]*)\n/.exec(new TextDecoder().decode(content))?.[1];
    else if (kind === "L") long = new TextDecoder().decode(content).replace(/\0.*$/s, "");
    else {
      files.push([long ?? (prefix === "" ? "" : `${prefix}/`) + string(at, at + 100), content]);
      long = undefined;
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

export const SNAPSHOT_TESTS = {
  async "a snapshot of any layout is restored into an empty database, which is one like any other"({ open }) {
    const db = await filled(open);
    for (const [layout, format] of Object.entries(LAYOUTS)) {
      const tar = await packed(db, layout);
      const restored = await open({ retention: "100y" });
      const handle = restored.series({ __name__: "up", job: "a" });
      const seen = [];
      const { parts, ...result } = await restored.snapshots.restore(tar, (progress) => seen.push(progress));
      equal(result, { format, series: 3, samples: 1500, leftOut: [] });
      ok(parts >= 2, String(parts));
      equal(seen.at(-1), { done: tar.size, total: tar.size, unit: "bytes" });
      equal(await sorted(restored), await sorted(db));
      // What had a handle before has it still; new samples and old ones are merged, and are in the next snapshot.
      await restored.append(handle, [START + 1000], [7]);
      await restored.append({ __name__: "new" }, [START], [1]);
      await restored.forceMerge();
      await restored.sync();
      const again = await open({ retention: "100y" });
      await again.snapshots.restore(await packed(restored));
      equal((await again.select('up{job="a"}'))[0].values.length, 501);
      equal((await again.labels()).length, 4);
    }
    await fails("invalid", async () => db.snapshots.download("x", { layout: "v2" }), /v1\.93/);
  },

  async "a snapshot comes as bytes, as a stream, zipped, or as the files of a folder"({ open }) {
    const db = await filled(open);
    const tar = await packed(db);
    const expected = await sorted(db);
    for (const snapshot of [
      new Uint8Array(await tar.arrayBuffer()),
      await tar.arrayBuffer(),
      tar.stream(),
      await zipped(tar),
      await filesOf(tar),
    ]) {
      const restored = await open({ retention: "100y" });
      const { samples } = await restored.snapshots.restore(snapshot);
      equal(samples, 1500);
      equal(await sorted(restored), expected);
    }
  },

  async "a restore that fails or is given up leaves the database as it was"({ open }) {
    const db = await filled(open);
    const tar = await packed(db);
    const bytes = new Uint8Array(await tar.arrayBuffer());
    const restored = await open({ retention: "100y" });
    await fails("corrupt", () => restored.snapshots.restore(bytes.subarray(0, bytes.length / 2)), /cut off/);
    await fails("corrupt", async () => restored.snapshots.restore((await zipped(tar)).slice(0, 1000)), /gzip/);
    await fails("corrupt", () => restored.snapshots.restore(new Uint8Array(5000).fill(7)), /no tar/);
    await fails("invalid", () => restored.snapshots.restore(new Uint8Array(0)), /empty/);
    await fails("invalid", () => restored.snapshots.restore(7));
    await fails("aborted", () => restored.snapshots.restore(tar, { signal: AbortSignal.abort() }));
    const stalled = new ReadableStream({ start: (controller) => controller.enqueue(bytes.slice(0, 5000)) });
    const later = new AbortController();
    const restoring = restored.snapshots.restore(stalled, { signal: later.signal });
    setTimeout(() => later.abort(), 20);
    await fails("aborted", () => restoring);
    await fails("invalid", () => db.snapshots.restore(tar), /empty database/);
    equal(await restored.labels(), []);
    // Nobody else writes meanwhile.
    let refused;
    await restored.snapshots.restore(tar, () => {
      refused ??= fails("invalid", () => restored.snapshots.create(), /being restored/);
    });
    await refused;
    await restored.append({ __name__: "after" }, [START], [1]);
    await restored.flush();
    equal((await restored.labels()).length, 4);
  },

  async "a snapshot is looked at where it lies"({ open, sandglass }) {
    const db = await filled(open);
    const tar = await packed(db, "v1.150");
    const expected = await sorted(db);
    const packedTar = await zipped(tar);
    for (const place of [tar, new Uint8Array(await tar.arrayBuffer()), await filesOf(tar), packedTar]) {
      const looked = await sandglass.openSnapshot(place);
      const { parts, ...snapshot } = looked.snapshot;
      equal(snapshot, { format: LAYOUTS["v1.150"], series: 3, samples: 1500, leftOut: [], isUnpacked: place === packedTar });
      equal(await sorted(looked), expected);
      equal(looked.opened.role, "reader");
      await fails("locked", () => looked.snapshots.create(), /looked at/);
      await fails("locked", () => looked.append({ __name__: "up" }, [START], [1]).then(() => looked.flush()));
      await looked.close();
    }
    await fails("corrupt", () => sandglass.openSnapshot(packedTar.slice(0, 1000)), /gzip/);
    await fails("invalid", () => sandglass.openSnapshot(new Uint8Array(0)), /empty/);
    await fails("corrupt", () => sandglass.openSnapshot(new Uint8Array(5000).fill(7)), /no tar/);
    await fails("invalid", () => sandglass.openSnapshot(7));
  },
};
