// The contract as tests of Node's runner, carried out in a page of a browser.
import { describe, it } from "node:test";
import { STORED_TESTS, TESTS } from "./contract.mjs";

/**
 * Declares the contract for every thread and storage.
 *
 * @param {Record<"worker" | "caller", string[]>} storages of the engine in the package's worker, and in the page
 * @param {Record<"worker" | "caller", string>} entries the package's, as the page imports them
 * @param {(thread: string) => { evaluate(run: (argument: any) => Promise<any>, argument: any): Promise<any> }} pageOf the page to use
 */
export function declareContract(storages, entries, pageOf) {
  for (const [thread, own] of Object.entries(storages)) {
    const run = (group, title, storage) =>
      pageOf(thread).evaluate(
        async ({ entry, group, title, thread, storage }) => {
          const [sandglass, { runTest }] = await Promise.all([import(entry), import("/contract/contract.mjs")]);
          await runTest(sandglass, group, title, storage, thread);
        },
        { entry: entries[thread], group, title, thread, storage },
      );
    for (const storage of own) {
      describe(`engine in the ${thread === "worker" ? "worker" : "page"}, storage: ${storage}`, () => {
        for (const title of Object.keys(TESTS)) it(title, () => run("TESTS", title, storage));
        if (storage !== "memory") for (const title of Object.keys(STORED_TESTS)) it(title, () => run("STORED_TESTS", title, storage));
      });
    }
  }
}
