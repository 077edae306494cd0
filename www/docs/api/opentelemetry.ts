/**
 * Metrics of OpenTelemetry's SDK, into a database of the page.
 *
 * @module sandglass/opentelemetry
 */
export * from "../../dist/opentelemetry.js";
// What its options refer to.
export type { Database, RetentionShortened } from "../../dist/index.js";
