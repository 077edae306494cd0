// A database as long as a component is there.

import { useCallback, useRef, useSyncExternalStore } from "react";
import { type DatabaseOptions, type DatabaseState, join, keyOf, NOT_BEGUN, stateOf } from "./shared_databases.js";

export type { DatabaseOptions, DatabaseState };

/**
 * Opens a database for a component, and closes it a second after the last component that uses it has gone. All components of a page
 * that use one `name` and one `storage` share one object, with the options of the first of them; other tabs share the database as
 * `ifLocked` says. Nothing is opened while a server renders. It is safe under `StrictMode` and when code is replaced while one
 * develops: the database that is open stays open.
 *
 * @example
 * ```tsx
 * function Greenhouse() {
 *   const { database, error, reopen } = useDatabase({ name: "greenhouse" });
 *   if (error) return <button onClick={reopen}>{error.message}: try again</button>;
 *   return database ? <Chart database={database} /> : <p>opening…</p>;
 * }
 * ```
 */
export function useDatabase(options: DatabaseOptions = {}): DatabaseState {
  const key = keyOf(options);
  // An object that is written where the hook is called is another one each time; what counts is the key.
  const latest = useRef(options);
  latest.current = options;
  const subscribe = useCallback((changed: () => void) => join(key, latest.current, changed), [key]);
  return useSyncExternalStore(
    subscribe,
    () => stateOf(key),
    () => NOT_BEGUN,
  );
}
