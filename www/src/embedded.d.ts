// What build.mjs writes: both halves of the engine's code, zipped, as base64.
declare const halves: readonly [core: string, rest: string];
export default halves;
