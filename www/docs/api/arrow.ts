/**
 * Results as tables of Apache Arrow.
 *
 * @module sandglass/arrow
 */
export * from "../../dist/arrow.js";
