// Looking into a running engine.
// Times are milliseconds since the Unix epoch, sizes are bytes, values are float64, unless a line says otherwise.

import type { BlockDetails, BlockRange, IndexBlockDetails, PartDetails } from "./blocks.js";
import type { EngineEvent } from "./events.js";
import type { Abortable } from "./samples.js";
import type { EngineState, PartId } from "./state.js";

/** The part of a database that shows what goes on inside. Nothing of it changes anything. */
export interface Inspection {
  /** The whole state: partitions, raw-row shards, parts, merges, index, scheduler, storage and memory in use. */
  inspect(options?: Abortable): Promise<EngineState>;

  /**
   * Every step of the engine as it happens. Costs nothing measurable while nobody listens. Returns the function that stops it.
   *
   * @example
   * ```ts
   * const stop = db.observe((event) => {
   *   if (event.type === "mergeFinished") console.log(event.partition, event.rowsMerged);
   * });
   * ```
   */
  observe(listener: (event: EngineEvent) => void): () => void;

  /**
   * The blocks of one part by their headers, in the part's order: by TSID, and by time within a series. A part that was merged
   * or dropped meanwhile rejects with the code `not_found`.
   *
   * @example
   * ```ts
   * const { blocks, headers } = await db.inspectPart(state.partitions[0].parts[0].id, { count: 100 });
   * ```
   */
  inspectPart(part: PartId, blocks?: BlockRange & Abortable): Promise<PartDetails>;

  /**
   * One block of one part, decoded, with how each stage of the encoding was chosen and what it saved. `block` is its position in
   * the part's order, counted from 0. A part that was merged or dropped meanwhile rejects with the code `not_found`.
   *
   * @example
   * ```ts
   * const { header, mantissas, values } = await db.inspectBlock(part, 0);
   * console.log(header.labels, mantissas.marshalType, mantissas.sizes.stored / header.rows, "bytes a value");
   * ```
   */
  inspectBlock(part: PartId, block: number, options?: Abortable): Promise<BlockDetails>;

  /**
   * One block of the index: items in their order. `table` and `part` are positions in {@link EngineState.index}, `block` is one in
   * the part, all counted from 0. What is not there (any more) rejects with the code `not_found`.
   *
   * @example
   * ```ts
   * const { items } = await db.inspectIndexBlock(0, 0, 0);
   * console.log(items.filter((item) => item.startsWith("01")).length, "rows lead from labels to series"); // index-format §5
   * ```
   */
  inspectIndexBlock(table: number, part: number, block: number, options?: Abortable): Promise<IndexBlockDetails>;
}
