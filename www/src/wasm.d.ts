/**
 * The entries `sandglass/wasm` and `sandglass/wasm/rest` are the raw WebAssembly files, for bundlers and CDNs that need their URLs:
 * `import url from "sandglass/wasm?url"` with Vite, `new URL("sandglass/wasm", import.meta.url)` with webpack. Hand them to `open`
 * as the option `wasm`.
 */
declare const url: string;
export default url;
