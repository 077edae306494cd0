// Compiled against the published declarations with the types of Node and without the DOM library; never run.
import { open } from "sandglass";

export async function use(): Promise<number> {
  const db = await open({ storage: "memory", signal: AbortSignal.timeout(1), wasm: new URL("file:///sandglass.wasm") });
  const { status }: { status: number } = await db.fetch("/snapshot/list", { method: "POST", headers: { a: "b" } });
  await db.fetch(new Request("http://localhost/snapshot/list"));
  // @ts-expect-error a method is a text
  await db.fetch("/snapshot/list", { method: 1 });
  await db.ingest(new Blob(["up 1"]).stream(), { format: "prometheus" });
  let bytes = 0;
  for await (const chunk of db.export()) bytes += chunk.length;
  return status + bytes + (await new Response(db.export()).text()).length;
}
