// Compiled against the published declarations where no library has the web's types; never run.
import { type Database, databases, destroy, open, openSnapshot, SandglassError } from "sandglass";
import * as inline from "sandglass/inline";
import { serve } from "sandglass/service-worker";
import { type AlignedData, toAlignedData } from "sandglass/uplot";
import wasmUrl from "sandglass/wasm";

export async function use(): Promise<AlignedData> {
  const db: Database = await open({ storage: "memory", retention: "30d", wasm: wasmUrl });
  await db.append({ __name__: "up" }, [Date.now()], [1]);
  const { samples }: { samples: number } = await db.ingest("up 1", { format: "prometheus" });
  const values: Float64Array | undefined = (await db.select("up"))[0]?.values;
  await db.fetch("/snapshot/list", { method: "POST" });
  const name: string = await db.snapshots.create();
  const other = await inline.open({ storage: "memory", files: [["data/x", new Uint8Array(samples + (values?.length ?? 0))]] });
  await other.snapshots.restore(new Uint8Array(1));
  await other[Symbol.asyncDispose]();
  await db.push("https://example.org", { live: true });
  await (await openSnapshot(new Uint8Array(1))).close();
  await db.close().catch((error: unknown) => error instanceof SandglassError && error.code === "quota");
  await destroy((await databases())[0] ?? name);
  serve({ path: "/prometheus/" });
  // @ts-expect-error a label's value is a string
  other.series({ port: 9100 });
  return toAlignedData(await db.queryRange("up", { start: 0, end: 1, step: "1s" }));
}
