// Rows that are not in parts yet, and rows that are: of a partition as the engine tells it, or as the model has it.

interface Waiting {
  shards: readonly { rows: number }[];
  /** Rows that have left the shards and are not in parts yet. */
  pendingConversionRows: number;
}

export const rowsInShards = ({ shards }: Pick<Waiting, "shards">): number => shards.reduce((sum, { rows }) => sum + rows, 0);

/** Rows that no query sees yet. */
export const waitingRows = (partition: Waiting): number => partition.pendingConversionRows + rowsInShards(partition);

export function rowsInParts(parts: Iterable<{ rows: number }>): number {
  let sum = 0;
  for (const { rows } of parts) sum += rows;
  return sum;
}
