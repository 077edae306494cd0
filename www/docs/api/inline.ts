/**
 * The same as `sandglass`, with the engine in the calling thread: for Node.js, for workers, and for tests.
 *
 * @module sandglass/inline
 */
export * from "../../dist/inline.js";
