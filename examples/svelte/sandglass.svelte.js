// A database and its queries as runes: each ends with the component that calls it.
import { open } from "sandglass";
import { onDestroy } from "svelte";

/** The database, once it is open. Components that open one name share one engine. */
export function useDatabase(options) {
  let database = $state.raw();
  let error = $state.raw();
  const control = new AbortController();
  open({ ...options, signal: control.signal }).then(
    (opened) => (database = opened),
    (failure) => (error = failure),
  );
  onDestroy(() => {
    control.abort();
    return database?.close();
  });
  return {
    get database() {
      return database;
    },
    get error() {
      return error;
    },
  };
}

/** The newest answer over a range that follows the clock; `expression` is a function of what it depends on. */
export function useLive(home, expression, options) {
  let data = $state.raw();
  let error = $state.raw();
  $effect(() => {
    data = undefined;
    return home.database?.live(
      expression(),
      options,
      (result) => {
        data = result;
        error = undefined;
      },
      (failure) => (error = failure),
    );
  });
  return {
    get data() {
      return data;
    },
    get error() {
      return error;
    },
  };
}
