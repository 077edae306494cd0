// What the crash tests write: a table without end, whose every cell can be computed. A row is one sample in each of a few columns;
// a column begins a new series every now and then, and the columns lie in three months. Runs in Node and in browsers.

export const COLUMNS = 12;
/** After so many rows every column goes on in a new series. */
const EPOCH_ROWS = 400;
const STEP_MS = 20_000;
const MONTH_MS = 31 * 24 * 3600_000;
/** Seven hours before a month ends, so that the rows soon cross into the next one. */
const FIRST_TIME = Date.UTC(2024, 1, 29, 17);
/** Where a manual clock stands: behind all that is ever written. */
export const NOW = FIRST_TIME + 400 * 24 * 3600_000;

export const EVERY_ROW = '{__name__=~"kill_.*"}';

/** Columns of one month share their instants. */
export const monthOf = (column) => column % 3;
export const MONTHS = [0, 1, 2];
export const timestampOf = (column, row) => FIRST_TIME + row * STEP_MS + monthOf(column) * MONTH_MS;
/** Whole numbers of a few sizes, so that blocks differ in how they are encoded. */
export const valueOf = (column, row) => (column < 6 ? row * (column + 1) : ((row * 7919 + column * 104_729) % 1_000_003) - 500_000);
export const labelsOf = (column, row) => ({
  __name__: `kill_${monthOf(column)}`,
  column: String(column),
  epoch: String(Math.floor(row / EPOCH_ROWS)),
});
/** The end of the piece, from a row on, in which no column begins a new series. */
export const epochEnd = (row) => (Math.floor(row / EPOCH_ROWS) + 1) * EPOCH_ROWS;

/** The cell that a sample should be; what it says otherwise is no row. */
export function cellOf({ column, epoch }, timestamp) {
  const row = (timestamp - FIRST_TIME - monthOf(Number(column)) * MONTH_MS) / STEP_MS;
  return { column: Number(column), row: Math.floor(row / EPOCH_ROWS) === Number(epoch) ? row : NaN };
}
