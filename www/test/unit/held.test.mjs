// Answers that move on with the clock: what is held and what is new, joined.
import assert from "node:assert/strict";
import { it } from "node:test";
import { source } from "./source.mjs";

const { joined } = await source("database/held");

const HOLE = Number.NaN;
const instants = (first, count) => Float64Array.from({ length: count }, (_, at) => (first + at) * 10);
const row = (host, values, present) => ({
  labels: { host },
  values: Float64Array.from(values),
  ...(present && { present: Uint8Array.of(present) }),
});
const held = (series) => ({ timestamps: instants(0, 4), series });

it("instants that are held move on, and new ones stand behind them", () => {
  const before = held([row("a", [1, 2, 3, 4]), row("b", [5, 6, 7, 8])]);
  const after = joined(before, [row("b", [9, 10]), row("a", [11, 12])], instants(1, 4), 2);
  assert.deepEqual(after, [row("a", [2, 3, 11, 12]), row("b", [6, 7, 9, 10])]);
  assert.deepEqual([...before.series[0].values], [1, 2, 3, 4], "whoever holds the old columns has them as they were");
});

it("a series that ends has holes, and goes when it has nothing else", () => {
  const after = joined(held([row("a", [1, 2, 3, 4]), row("b", [5, HOLE, HOLE, HOLE])]), [], instants(1, 4), 3);
  assert.deepEqual(after, [row("a", [2, 3, 4, HOLE])]);
});

it("a series that is not held asks for the whole", () => {
  assert.equal(joined(held([row("a", [1, 2, 3, 4])]), [row("b", [1])], instants(1, 4), 3), undefined);
});

it("bits tell real NaNs from holes, as long as there are any", () => {
  // Instants 0 and 2 have values, the second of which is a NaN.
  const before = held([row("a", [1, HOLE, HOLE, HOLE], 0b0101)]);
  assert.deepEqual(joined(before, [row("a", [7])], instants(1, 4), 3), [row("a", [HOLE, HOLE, HOLE, 7], 0b1010)]);
  assert.deepEqual(joined(before, [row("a", [7])], instants(3, 2), 1), [row("a", [HOLE, 7])]);
  assert.deepEqual(joined(held([row("a", [1, 2, 3, 4])]), [row("a", [HOLE, HOLE], 0b01)], instants(2, 4), 2), [
    row("a", [3, 4, HOLE, HOLE], 0b0111),
  ]);
});
