// What build.mjs writes: the engine's code, zipped, as base64.
declare const zipped: string;
export default zipped;
