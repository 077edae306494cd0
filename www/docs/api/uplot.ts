/**
 * Results as uPlot takes them.
 *
 * @module sandglass/uplot
 */
export * from "../../dist/uplot.js";
