/**
 * The database, as `sandglass` and `sandglass/inline` give it.
 *
 * @module sandglass
 */
export * from "../../dist/index.js";
