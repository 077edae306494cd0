// What build.mjs writes: the engine's code, zipped, as base64.
declare const base64: string;
export default base64;
