// A database and its queries as composables: each ends with the component that calls it.
import { open } from "sandglass";
import { onScopeDispose, shallowRef, toValue, watchEffect } from "vue";

/** The database, once it is open. Components that open one name share one engine. */
export function useDatabase(options) {
  const database = shallowRef();
  const error = shallowRef();
  const control = new AbortController();
  open({ ...options, signal: control.signal }).then(
    (opened) => (database.value = opened),
    (failure) => (error.value = failure),
  );
  onScopeDispose(() => {
    control.abort();
    return database.value?.close();
  });
  return { database, error };
}

/** The newest answer over a range that follows the clock; `expression` may be a ref or a function. */
export function useLive(database, expression, options) {
  const data = shallowRef();
  const error = shallowRef();
  watchEffect((onCleanup) => {
    data.value = undefined;
    if (database.value === undefined) return;
    onCleanup(
      database.value.live(
        toValue(expression),
        options,
        (result) => {
          data.value = result;
          error.value = undefined;
        },
        (failure) => (error.value = failure),
      ),
    );
  });
  return { data, error };
}
