// What this worker has under way in IndexedDB. WebKit never ends the transactions of a worker that is terminated: the database can't be removed
// then, and the page may hang.

const underWay = new Set<IDBTransaction>();
let noneIsLeft = () => {};

/** From now on. Before anything is opened. */
export function watchTransactions(): void {
  const prototype = globalThis.IDBDatabase?.prototype;
  if (prototype === undefined) return;
  const begin = prototype.transaction;
  prototype.transaction = function (...parameters) {
    const transaction = begin.apply(this, parameters);
    underWay.add(transaction);
    const end = () => {
      underWay.delete(transaction);
      if (underWay.size === 0) noneIsLeft();
    };
    transaction.addEventListener("complete", end);
    transaction.addEventListener("abort", end);
    return transaction;
  };
}

/** Resolves when all have ended, at the latest after so long. */
export async function transactionsEnded(limitMs: number): Promise<void> {
  if (underWay.size === 0) return;
  await new Promise<void>((resolve) => {
    noneIsLeft = resolve;
    setTimeout(resolve, limitMs);
  });
}
