/**
 * The WebAssembly file, for bundlers and CDNs that need its URL: `import url from "sandglass/wasm?url"` with Vite,
 * `new URL("sandglass/wasm", import.meta.url)` with webpack. Hand it to `open` as the option `wasm`.
 *
 * @module sandglass/wasm
 */

/** Where the file lies. */
declare const url: string;
export default url;
