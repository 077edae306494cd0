// Where the engine's code comes from: one module, compiled while it is loaded.

import { BUILD } from "../base/build_name.js";
import { SandglassError } from "../api/errors.js";
import type { WasmSource } from "../api/options.js";

/** The package's own code, compiled, for all who open. */
let shared: Promise<WebAssembly.Module> | undefined;

/** The compiled engine: from what the option `wasm` names, or the package's own. */
export function loadEngine(option: WasmSource | undefined): Promise<WebAssembly.Module> {
  if (option !== undefined) return compile(option);
  // A load that has failed is tried again by the next open.
  shared ??= loadOwn().catch((error: unknown) => {
    shared = undefined;
    throw error;
  });
  return shared;
}

/**
 * The file beside this module. Not every bundler takes it along (esbuild does not), not every server keeps it there, and a classic
 * script has no address of its own: then the copy in a module of its own is taken, which nobody loads otherwise.
 */
async function loadOwn(): Promise<WebAssembly.Module> {
  let url: URL | undefined;
  try {
    url = new URL("./sandglass.wasm", import.meta.url);
    return ofThisBuild(await moduleOf(url));
  } catch (error) {
    try {
      return ofThisBuild(await WebAssembly.compile(await embedded()));
    } catch (ofCopy) {
      // A policy that forbids WebAssembly is the reason, whether the file was there or not.
      throw isForbidden(ofCopy) ? understand(ofCopy, undefined) : understand(error, url);
    }
  }
}

async function embedded(): Promise<ArrayBuffer> {
  const { default: text } = await import("./embedded.js");
  const zipped = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Response(new Blob([zipped]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function compile(source: WasmSource): Promise<WebAssembly.Module> {
  try {
    return ofThisBuild(await moduleOf(source));
  } catch (cause) {
    throw understand(cause, source);
  }
}

/** A cache may still hold the code of another build, whose imports and exports may mean something else. */
function ofThisBuild(module: WebAssembly.Module): WebAssembly.Module {
  const [build] = WebAssembly.Module.customSections(module, "sandglass");
  if (build === undefined || new TextDecoder().decode(build) !== BUILD)
    throw new Error(`it is not of the build ${BUILD}, as the JavaScript is`);
  return module;
}

async function moduleOf(source: WasmSource): Promise<WebAssembly.Module> {
  // Arrays and responses may be another realm's, whose constructors are others.
  const kind = Object.prototype.toString.call(source).slice(8, -1);
  if (kind === "WebAssembly.Module") return source as WebAssembly.Module;
  if (ArrayBuffer.isView(source) || kind === "ArrayBuffer") return WebAssembly.compile(source as BufferSource);
  if (kind === "Response") return compileResponse(source as Response);
  const url = new URL(source as URL | string, globalThis.location?.href);
  if (url.protocol === "file:") return WebAssembly.compile(await readFile(url));
  return compileResponse(await fetch(url, { credentials: "same-origin" }));
}

/** Browsers say so in words alone, which all name the policy or what it lacks. */
function isForbidden(error: unknown): boolean {
  return error instanceof Error && /content security policy|unsafe-eval/i.test(error.message);
}

function understand(cause: unknown, source: WasmSource | undefined): SandglassError {
  if (cause instanceof SandglassError) return cause;
  const where = source instanceof URL || typeof source === "string" ? ` from ${String(source)}` : "";
  const why = cause instanceof Error ? cause.message : String(cause);
  if (isForbidden(cause)) {
    return new SandglassError(
      "unsupported",
      `the page's Content Security Policy forbids WebAssembly: ${why}; let its script-src have 'wasm-unsafe-eval', which allows WebAssembly alone`,
      { cause },
    );
  }
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
