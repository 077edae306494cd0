// What modules that are loaded on demand share with those that every page loads. They take it from here: the bundler puts into one
// file what is loaded by the same modules, and one file is loaded faster than the six that these would be.

export { SandglassError } from "../api/errors.js";
export { abortable, callAll, checkAborted, checkSignal, offAbort, onAbort } from "./abort.js";
export { bounds, checkOptions, durationMs, flatten, invalid, onlyKnown, optionalText, record, text, unreadable } from "./arguments.js";
export { randomName } from "./random_name.js";
export { builtAs, bytesOf, copiedInPieces, PIECE_BYTES, Pieces, piecesOf } from "./realms.js";
export { indexedDb } from "./indexed_db.js";
export { timerMs } from "./timer.js";
