// Where the engine's code comes from.

import { type EngineCode, ofThisBuild } from "./engine_code.js";
import { SandglassError } from "./errors.js";
import type { WasmOption, WasmSource } from "./types.js";

/** One half of the code. */
interface Half {
  file: string;
  /** Its place in the module that holds both, for those who lose the files. */
  place: 0 | 1;
  own: () => URL;
  shared: Promise<WebAssembly.Module> | undefined;
}

const CORE: Half = { file: "sandglass.wasm", place: 0, own: () => new URL("./sandglass.wasm", import.meta.url), shared: undefined };
const REST: Half = { file: "sandglass_rest.wasm", place: 1, own: () => new URL("./sandglass_rest.wasm", import.meta.url), shared: undefined };

/** The compiled core. */
export function loadCore(option: WasmOption | undefined): Promise<WebAssembly.Module> {
  return load(CORE, isPair(option) ? option.core : option);
}

/** The compiled rest. */
export function loadRest(option: WasmOption | undefined): Promise<WebAssembly.Module> {
  return load(REST, isPair(option) ? option.rest : undefined);
}

/** Both, for a thread that cannot wait for the rest in the midst of a call. */
export async function loadCode(option: WasmOption | undefined): Promise<EngineCode> {
  const [core, rest] = await Promise.all([loadCore(option), loadRest(option)]);
  return { core, rest, restUrl: undefined };
}

/** Where a worker finds the rest by itself: where the package's own is, as long as nobody says otherwise. */
export function restUrl(option: WasmOption | undefined): string | undefined {
  const url = REST.own();
  return option === undefined && url.protocol.startsWith("http") ? url.href : undefined;
}

function isPair(option: WasmOption | undefined): option is { core: WasmSource; rest: WasmSource } {
  return typeof option === "object" && "core" in option && "rest" in option;
}

function load(half: Half, source: WasmSource | undefined): Promise<WebAssembly.Module> {
  if (source !== undefined) return compile(half, source);
  // A load that has failed is tried again by the next open.
  half.shared ??= loadOwn(half).catch((error: unknown) => {
    half.shared = undefined;
    throw error;
  });
  return half.shared;
}

/**
 * The file beside this module. Not every bundler takes it along (esbuild does not), and not every server keeps it there: then
 * the copy in a module of its own is taken, which nobody loads otherwise.
 */
async function loadOwn(half: Half): Promise<WebAssembly.Module> {
  try {
    return await compile(half, half.own());
  } catch (error) {
    try {
      return ofThisBuild(await WebAssembly.compile(await embedded(half)));
    } catch {
      throw understand(half, error, undefined);
    }
  }
}

async function embedded({ place }: Half): Promise<ArrayBuffer> {
  const { default: halves } = await import("./embedded.js");
  const zipped = Uint8Array.from(atob(halves[place]), (character) => character.charCodeAt(0));
  return new Response(new Blob([zipped]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function compile(half: Half, source: WasmSource): Promise<WebAssembly.Module> {
  try {
    return ofThisBuild(await moduleOf(source));
  } catch (cause) {
    throw understand(half, cause, source);
  }
}

async function moduleOf(source: WasmSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return WebAssembly.compile(source as BufferSource);
  if (source instanceof Response) return compileResponse(source);
  const url = new URL(source, globalThis.location?.href);
  if (url.protocol === "file:") return WebAssembly.compile(await readFile(url));
  return compileResponse(await fetch(url, { credentials: "same-origin" }));
}

function understand({ file }: Half, cause: unknown, source: WasmSource | undefined): SandglassError {
  if (cause instanceof SandglassError) return cause;
  const where = source instanceof URL || typeof source === "string" ? ` from ${String(source)}` : "";
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SandglassError(
    "unsupported",
    `cannot load the engine${where}: ${why}; check that the file ${file} is served there and that WebAssembly with SIMD is supported, or hand it to open() as the option wasm`,
    { cause },
  );
}

async function compileResponse(response: Response): Promise<WebAssembly.Module> {
  if (!response.ok) throw new Error(`the answer was ${response.status} ${response.statusText}`);
  const type = response.headers.get("content-type") ?? "";
  // Servers that do not know the type of .wasm files are common, and compiling while loading insists on it.
  if (type.startsWith("application/wasm") && WebAssembly.compileStreaming) return WebAssembly.compileStreaming(response);
  if (type.startsWith("text/html")) throw new Error("the answer is a page, so there is no such file");
  return WebAssembly.compile(await response.arrayBuffer());
}

/** Node's fetch reads no files. */
async function readFile(url: URL): Promise<BufferSource> {
  const { readFile } = await import("sandglass:node-fs");
  return readFile(url);
}
