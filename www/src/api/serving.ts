// Requests that a Service Worker answers.

/** From which database a Service Worker answers, and where. */
export interface ServeOptions {
  /** Below this path of the origin requests are answered; it is what clients are given as the server's address. Default `"/prometheus/"`. */
  path?: string;
  /** Name of the database, as for `open`. Default `"sandglass"`. */
  name?: string;
  /** Which language queries speak unless they have an argument `dialect`. Default: as the page that has the database has opened it, or `"metricsql"`. */
  dialect?: "metricsql" | "promql";
  /**
   * Whether this Service Worker takes the place of an older one at once, and serves pages that are already open. Default `true`: an older
   * one is of another build of this package, and could not talk to the pages' databases.
   */
  takeOver?: boolean;
}
