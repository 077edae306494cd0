// What every page loads that opens a database. What is loaded on demand takes what it shares with that from here: the bundler puts
// modules into one file that are loaded by the same ones, and one file is a fifth smaller after gzip than the six that they were.

export { abortable, checkAborted } from "./abort.js";
export { flatten, invalid, unreadable } from "./check.js";
export { SandglassError } from "./errors.js";
export { indexedDb } from "./indexed_db.js";
export { openDatabase } from "./open.js";
