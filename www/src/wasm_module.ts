// Where the engine's code comes from: compiled once, shared by all databases, each of which makes an instance of its own.

import { SandglassError } from "./errors.js";
import type { WasmSource } from "./types.js";
import { BUILD } from "./version.js";

let shared: Promise<WebAssembly.Module> | undefined;

/** The compiled engine; loaded when it is first asked for. */
export function loadModule(source: WasmSource | undefined): Promise<WebAssembly.Module> {
  if (source !== undefined) return compile(source);
  // A load that has failed is tried again by the next open.
  shared ??= loadOwn().catch((error: unknown) => {
    shared = undefined;
    throw error;
  });
  return shared;
}

/**
 * The file beside this module. Not every bundler takes it along (esbuild does not), and not every server keeps it there: then
 * the copy in a module of its own is taken, which nobody loads otherwise.
 */
async function loadOwn(): Promise<WebAssembly.Module> {
  try {
    return await compile(new URL("./sandglass.wasm", import.meta.url));
  } catch (error) {
    try {
      return checked(await WebAssembly.compile(await embedded()));
    } catch {
      throw understand(error, undefined);
    }
  }
}

async function embedded(): Promise<ArrayBuffer> {
  const { default: base64 } = await import("./embedded.js");
  const zipped = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new Response(new Blob([zipped]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function compile(source: WasmSource): Promise<WebAssembly.Module> {
  try {
    return checked(await moduleOf(source));
  } catch (cause) {
    throw understand(cause, source);
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

/** A cache may still hold the code of another build, whose imports and exports have the same short names and other meanings. */
function checked(module: WebAssembly.Module): WebAssembly.Module {
  const [build] = WebAssembly.Module.customSections(module, "sandglass");
  if (build === undefined || new TextDecoder().decode(build) !== BUILD) throw new Error(`it is not of the build ${BUILD}, as the JavaScript is`);
  return module;
}

function understand(cause: unknown, source: WasmSource | undefined): SandglassError {
  if (cause instanceof SandglassError) return cause;
  const where = source instanceof URL || typeof source === "string" ? ` from ${String(source)}` : "";
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SandglassError(
    "unsupported",
    `cannot load the engine${where}: ${why}; check that the file sandglass.wasm is served there and that WebAssembly with SIMD is supported, or hand it to open() as the option wasm`,
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
