// What build.mjs writes: the text of worker.js.
declare const source: string;
export default source;
