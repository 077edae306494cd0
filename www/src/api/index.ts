// Every public type.

export type * from "./blocks.js";
export type * from "./database.js";
export type * from "./events.js";
export type * from "./inspection.js";
export type * from "./looking.js";
export type * from "./options.js";
export type * from "./push.js";
export type * from "./queries.js";
export type * from "./samples.js";
export type * from "./snapshots.js";
export type * from "./state.js";
export type * from "./teaching.js";
export type * from "./web.js";
