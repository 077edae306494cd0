// Node's files, of which bundlers for the browser must not hear: build.mjs hides the name from them.
declare module "sandglass:node-fs" {
  export function readFile(url: URL): Promise<Uint8Array<ArrayBuffer>>;
}
