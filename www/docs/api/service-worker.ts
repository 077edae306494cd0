/**
 * Requests of the origin's pages, answered in a Service Worker.
 *
 * @module sandglass/service-worker
 */
export * from "../../dist/service-worker.js";
