// Compiled against the published declarations; never run.
import {
  type Database,
  databases,
  destroy,
  type EngineEvent,
  type EngineState,
  open,
  type PushOptions,
  SandglassError,
  type SeriesData,
  type SeriesHandle,
} from "sandglass";
import * as inline from "sandglass/inline";
import { useDatabase, useQuery } from "sandglass/react";
import wasmUrl from "sandglass/wasm";

export function useMean(): { newest: number | undefined; at: number | undefined; why: string | undefined } {
  const { database, error } = useDatabase({ name: "typed", retention: "30d" });
  const { data } = useQuery("avg(temperature)", { database, range: "1h", step: "10s", dialect: "promql" });
  const instant = useQuery("avg(temperature)", { database, time: 0 });
  // @ts-expect-error a range needs a step
  useQuery("avg(temperature)", { database, range: "1h" });
  return {
    newest: data?.series[0]?.values.at(-1),
    at: instant.data?.type === "vector" ? instant.data.series[0]?.timestamp : undefined,
    why: error?.message,
  };
}

export async function use(): Promise<number> {
  const db: Database = await open({
    name: "typed",
    storage: "memory",
    retention: "30d",
    clock: "manual",
    startTime: 0,
    wasm: new URL(wasmUrl, "https://example.org"),
  });
  await (await open({ storage: "memory", wasm: wasmUrl })).close();
  const handle: SeriesHandle = db.series({ __name__: "up" });
  await db.append(handle, new Float64Array(1), [1]);
  await db.append({ __name__: "up" }, new BigInt64Array(1), new Float64Array(1));
  await db.appendRow([handle], Date.now(), [1]);
  const { samples, errors } = await db.ingest("up 1", { format: "prometheus", extraLabels: { job: "x" } });
  const line: number | undefined = errors[0]?.line;
  await db.ingest(new Response("up 1").body!, { format: "jsonl", timestamp: 1, signal: AbortSignal.timeout(1) });
  await db.tick(1000);
  const found: SeriesData[] = await db.select('{job="x"}', { start: 0, end: db.now() });
  const values: Float64Array | undefined = found[0]?.values;
  const stop = db.observe((event: EngineEvent) => {
    switch (event.type) {
      case "mergeFinished":
        console.log(event.sequence, event.output?.toFixed(), event.rowsMerged);
        break;
      case "partCreated":
        console.log(event.class === "inmemory", event.bytes);
        break;
    }
  });
  stop();
  const state: EngineState = await db.inspect();
  const name = await db.snapshots.create();
  const blob = await new Response(db.snapshots.download(name, { layout: "v1.72" })).blob();
  const text = await new Response(db.export(undefined, { start: 1 })).text();
  const response: Response = await db.fetch("/snapshot/list", { method: "POST" });
  const options: PushOptions = {
    live: true,
    every: "5s",
    protocol: "remote_write",
    onProgress: ({ checkpoint }) => console.log(checkpoint),
  };
  const pushed: number = (await db.push(new URL("https://example.org"), options)).samples;
  console.log(pushed);
  try {
    await db.close();
  } catch (error) {
    if (error instanceof SandglassError && error.code === "refused") console.log(error.status?.toFixed(), error.checkpoint?.length);
    if (error instanceof SandglassError && error.code === "quota") await destroy("typed");
  }
  const other: Database = await inline.open();
  await other[Symbol.asyncDispose]();
  // @ts-expect-error a label's value is a string
  other.series({ port: 9100 });
  // @ts-expect-error there is no such storage
  await open({ storage: "disk" });
  return (
    samples +
    (line ?? 0) +
    (values?.length ?? 0) +
    state.partitions.length +
    blob.size +
    text.length +
    response.status +
    (await databases()).length
  );
}
