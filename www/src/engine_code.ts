// The engine's code is one module in two halves: the core works by itself for what most pages do, and what is seldom called is in
// the rest (docs/decisions/wasm-size.md). Both are compiled once and shared by all databases, each of which makes instances of its own.

import { BUILD } from "./version.js";

export interface EngineCode {
  core: WebAssembly.Module;
  /** Absent while it is on its way. */
  rest: WebAssembly.Module | undefined;
  /** Where a worker fetches the rest, at once, when it needs it before it has come. */
  restUrl: string | undefined;
}

/** A cache may still hold the code of another build, whose imports and exports have the same short names and other meanings. */
export function ofThisBuild(module: WebAssembly.Module): WebAssembly.Module {
  const [build] = WebAssembly.Module.customSections(module, "sandglass");
  if (build === undefined || new TextDecoder().decode(build) !== BUILD) throw new Error(`it is not of the build ${BUILD}, as the JavaScript is`);
  return module;
}

/** The rest, when a call is in the midst of it: only workers may wait for a server like that. */
export function restNow(code: EngineCode): WebAssembly.Module {
  if (code.rest) return code.rest;
  const request = new XMLHttpRequest();
  try {
    request.open("GET", code.restUrl!, false);
    request.responseType = "arraybuffer";
    request.send();
    return (code.rest = ofThisBuild(new WebAssembly.Module(request.response)));
  } catch (cause) {
    // No refusal: the call that needs it has no way back, and the engine ends with it.
    throw new Error(`${code.restUrl} cannot be loaded, see that it is served (${request.status || cause})`);
  }
}
