// What only tests and teaching need.
// Times are milliseconds since the Unix epoch, sizes are bytes, values are float64, unless a line says otherwise.

/** An engine as it was at one instant, see {@link Teaching.checkpoint}. */
export interface Checkpoint {
  /** Memory that this one takes beside the one before it. */
  readonly bytes: number;
  /** Lets the engine be as it was. Handles of series that were new since are of no use any more. */
  rewind(): void;
}

/** What a database in memory can do beside all others, with its engine in the calling thread. `Self` is the database. */
export interface Teaching<Self> {
  /**
   * For tests and teaching: holds all that this engine is at this instant, to come back to. Nothing may be under way, neither now nor
   * when it comes back. Calls on this object alone can be taken back: not `crash()` and `close()`, nor what listeners were told.
   * Where {@link Teaching.crash} works; elsewhere it rejects with the code `unsupported`. It compares and copies the engine's whole memory in one go,
   * which is all that it waits for.
   *
   * @example
   * ```ts
   * const before = await db.checkpoint();
   * await db.tick(60_000);
   * before.rewind(); // as if that minute had not been
   * ```
   */
  checkpoint(): Promise<Checkpoint>;

  /**
   * For tests and teaching: ends the engine as `kill -9` ends a server, and opens what it leaves in its storage. Rows in shards and
   * in-memory parts are lost, as on the server. This object and its handles are of no use from then on; the answer takes its place.
   * Only for databases in memory whose engine runs in the calling thread (`sandglass/inline`); others reject with the code
   * `unsupported`.
   *
   * @example
   * ```ts
   * db = await db.crash(); // what sync() had confirmed is still there
   * ```
   */
  crash(): Promise<Self>;
}
