// Gives wasm-bindgen's glue the short names that wasm-opt has given to what the module imports and exports. The long ones, with
// their hashes, are a quarter of the glue after gzip.
// Usage: node scripts/shorten_names.mjs NAMES GLUE, where NAMES is what wasm-opt has printed.
import { readFileSync, writeFileSync } from "node:fs";

const [names, glue] = process.argv.slice(2);
const { imports, exports } = JSON.parse(readFileSync(names, "utf8"));
const shortImports = new Map(imports.map(([, long, short]) => [long, short]));
const shortExports = new Map(exports);
const quote = JSON.stringify;

function shorten(known, long) {
  const short = known.get(long);
  if (short === undefined) throw new Error(`wasm-opt says nothing of ${long}, which the glue of wasm-bindgen names`);
  return quote(short);
}

let imported = 0;
let text = readFileSync(glue, "utf8");
text = text.replace(/^( {8})(__wb\w+)(: function)/gm, (_, indent, long, rest) => (imported++, indent + shorten(shortImports, long) + rest));
if (imported !== shortImports.size) throw new Error(`the glue of wasm-bindgen has changed: it has ${imported} imports where the module has ${shortImports.size}`);
text = text.replace(/\bwasm\.(\w+)/g, (_, long) => `wasm[${shorten(shortExports, long)}]`);
const module = '"./sandglass_bg.js": import0';
if (text.split(module).length !== 2) throw new Error("the glue of wasm-bindgen has changed: the imports' module was not found");
text = text.replace(module, '"a": import0');
writeFileSync(glue, text);
