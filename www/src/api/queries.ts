// Queries and what they answer.

import type { Abortable, Fresh, Labels, SeriesData } from "./samples.js";

/** Which language an expression is written in. */
export type Dialect = "metricsql" | "promql";

/** What all queries may be told. Durations are texts such as `"5m"`, or milliseconds. */
export interface QueryOptions extends Fresh, Abortable {
  /** Default: what the database was opened with. */
  dialect?: Dialect;
  /** How old a selector's newest sample may be. Default: `"5m"` in PromQL; in MetricsQL what follows from step and scrape interval. */
  lookback?: number | string;
  /** More series rejects the query with the code `limit`. Default 300,000. */
  maxSeries?: number;
  /** More samples rejects the query with the code `limit`. Default 1,000,000,000. */
  maxSamples?: number;
  /** A query that takes longer rejects with the code `limit`. Default `"30s"`. */
  timeout?: number | string;
  /** The result tells in `trace` what was done for it, step by step. Default `false`. */
  trace?: boolean;
}

/** What answering took. */
export interface QueryStats {
  /** Series found. */
  series: number;
  /** Samples decoded. */
  samples: number;
  /** Blocks decoded. */
  blocks: number;
  /** Stored bytes read. */
  bytes: number;
  /** Milliseconds from the call to the answer, with the way to the engine and back and with waiting for storage and other work. */
  milliseconds: number;
}

/**
 * One step of a query, with the steps it needed. A step has the figures that say something of it: `find` has `series`; `read` has `parts`,
 * `blocks`, `bytes` and `samples`; `roll` and `expression` have `rows` and `points`; the whole query has what its {@link QueryStats} have.
 */
export interface QueryTrace {
  /**
   * - `query`: all of it.
   * - `parse`: the text became an expression.
   * - `flush`: what waited was made searchable, for `fresh`.
   * - `expression`: a part of the expression was computed; `text` is that part.
   * - `find`: the index was asked for the series of a selector, which is `text`.
   * - `read`: their blocks were read and decoded.
   * - `roll`: the samples of each window became one value, by the rollup that is `text`.
   * - `finish`: names were dropped and the rows were put in order.
   */
  kind: "query" | "parse" | "flush" | "expression" | "find" | "read" | "roll" | "finish";
  /** See `kind`; empty for the others. Of an expression that is very long it is the beginning. */
  text: string;
  /** How long it took, with the steps below it and with waiting for storage and other work. */
  milliseconds: number;
  /** Series found. */
  series?: number;
  /** Parts with samples in the range that was read. */
  parts?: number;
  /** Blocks decoded. */
  blocks?: number;
  /** Stored bytes of these blocks. */
  bytes?: number;
  /** Samples decoded. */
  samples?: number;
  /** Rows made. */
  rows?: number;
  /** Instants of each row. */
  points?: number;
  /** The steps it needed, in the order in which they were done. */
  children: QueryTrace[];
}

/** What all results of queries have. */
export interface QueryOutcome {
  /**
   * In the dialect `"promql"` what Prometheus warns of (`PromQL warning: …`), and behind that what may be wrong with the question (`PromQL info: …`), each
   * with line and column of the expression. At most ten of either kind.
   */
  warnings: string[];
  stats: QueryStats;
  /** What was done, if `trace` was asked for. */
  trace?: QueryTrace;
}

/** The value of an expression at one instant. Times are milliseconds since the epoch. */
export type InstantResult = QueryOutcome &
  (
    | { type: "vector"; series: { labels: Labels; timestamp: number; value: number }[] }
    | { type: "matrix"; series: SeriesData[] }
    | { type: "scalar"; timestamp: number; value: number }
    | { type: "string"; timestamp: number; value: string }
  );

/** One series over the instants of a range. */
export interface RangeSeries {
  labels: Labels;
  /** One for each instant; NaN where there is none. */
  values: Float64Array;
  /** One bit an instant, least significant first, for series that also hold real NaNs: whether there is a value. */
  present?: Uint8Array;
}

/** The values of an expression over a range: one column of instants for all series. */
export interface RangeResult extends QueryOutcome {
  /** Milliseconds since the epoch. */
  timestamps: Float64Array;
  series: RangeSeries[];
}

/** A range of instants: start, start + step, … up to end. */
export interface RangeOptions extends QueryOptions {
  /** Milliseconds since the epoch. */
  start: number;
  /** Milliseconds since the epoch. */
  end: number;
  /** A duration such as `"1m"`, `"1h30m"` or `"1w"`, or milliseconds. */
  step: number | string;
}

/** A range that moves with the clock. */
export interface LiveOptions extends QueryOptions {
  /** How far back it reaches: a duration such as `"1h"`, or milliseconds. */
  range: number | string;
  /** A duration such as `"10s"`, or milliseconds. Instants are multiples of it. */
  step: number | string;
  /** The shortest time between two evaluations: a duration, or milliseconds. Default: the step. */
  every?: number | string;
}

/** Of each of equal pieces of a range the least, greatest, first and last value; NaN where there is no sample. */
export interface EnvelopeResult {
  /** Where each piece begins, in milliseconds since the epoch. */
  timestamps: Float64Array;
  series: { labels: Labels; min: Float64Array; max: Float64Array; first: Float64Array; last: Float64Array }[];
}

/** The pieces of an envelope. */
export interface EnvelopeOptions extends Fresh, Abortable {
  /** Where the first piece begins, in milliseconds since the epoch. */
  start: number;
  /** Where the last piece ends, included. */
  end: number;
  /** How many there are: 1 to 100,000. */
  columns: number;
}

/** Which newest samples are wanted. */
export interface LatestOptions extends Fresh, Abortable {
  /** How old a series' newest sample may be: a duration, or milliseconds. Default `"5m"`. */
  within?: number | string;
}

/** The newest sample of a series. */
export interface LatestSample {
  labels: Labels;
  /** Milliseconds since the epoch. */
  timestamp: number;
  value: number;
}
