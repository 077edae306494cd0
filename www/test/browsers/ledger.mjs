// Outside of the browser: what was promised, and whether it is there.
import { COLUMNS, cellOf, labelsOf, timestampOf, valueOf } from "./rows.mjs";

/** What is known of one cell of the table. */
const NEVER = 0;
/** It may have been written: it was announced, and the browser was killed before more was heard. */
const MAYBE = 1;
/** It was acknowledged, or it was found once. */
const DURABLE = 2;

/** Differences that are told of one check. */
const TOLD = 8;

export class Ledger {
  /** One array for each column, by row. */
  #cells = Array.from({ length: COLUMNS }, () => []);
  /** Rows below this were announced. */
  #announced = 0;
  /** Where the writing of this round began. */
  #roundBegan = 0;
  #snapshots = new Map();
  /** What was heard of each snapshot, and what each look has found of it: for who asks why. */
  #heardOfSnapshots = new Map();
  #looks = 0;
  #heardOfRound = false;
  /** When it was heard that the rows below some were accepted. */
  #accepted = [];
  #found;
  #failure;
  /** Samples that were acknowledged or found, of all rounds, and what the last look has found. */
  acknowledged = 0;
  foundSamples = 0;
  snapshotsFound = 0;

  /** The row that the next round begins with. */
  get nextRow() {
    return this.#announced;
  }

  /** A report from the browser. */
  receive(what, body) {
    switch (what) {
      case "announced": {
        const to = Number(body);
        for (const cells of this.#cells) for (let row = this.#announced; row < to; row++) cells[row] = MAYBE;
        this.#announced = to;
        break;
      }
      case "durable": {
        const covered = Number(body);
        for (const cells of this.#cells) {
          for (let row = covered - 1; row >= this.#roundBegan && cells[row] !== DURABLE; row--) {
            cells[row] = DURABLE;
            this.acknowledged++;
          }
        }
        this.#heardOfRound = true;
        break;
      }
      case "accepted":
        this.#accepted.push([Date.now(), Number(body)]);
        break;
      case "snapshot":
        this.#note(String(body), "there", what);
        break;
      case "deleting":
        this.#note(String(body), "perhaps", what);
        break;
      case "deleted":
        this.#note(String(body), "gone", what);
        break;
      case "found":
        this.#found = decodeSeries(body);
        break;
      case "failed":
        this.#failure = String(body);
        break;
      default:
        throw new Error(`a report "${what}" is unknown`);
    }
  }

  #note(name, state, what) {
    this.#snapshots.set(name, state);
    const heard = this.#heardOfSnapshots.get(name) ?? [];
    this.#heardOfSnapshots.set(name, [...heard, `${what} (look ${this.#looks})`]);
  }

  /** Whether anything was acknowledged since the last check. */
  get hasHeard() {
    return this.#heardOfRound;
  }

  /** What was accepted before an instant was promised to be durable by itself. Answers the number of rows. */
  promise(instant) {
    const covered = this.#accepted.reduce((most, [heard, row]) => (heard <= instant ? row : most), this.#roundBegan);
    this.receive("durable", String(covered));
    return covered - this.#roundBegan;
  }

  /** What there was is gone, and known to be. */
  beginAnew() {
    this.#snapshots.clear();
  }

  /** Compares what was found with what was promised, and takes over what it was. Returns what is wrong. */
  check(snapshots) {
    const wrong = [];
    if (this.#failure !== undefined) wrong.push(`before the crash a call has failed: ${this.#failure}`);
    const seen = this.#cells.map(() => new Set());
    this.foundSamples = 0;
    for (const { labels, timestamps, values } of this.#found) {
      const name = JSON.stringify(labels);
      timestamps.forEach((timestamp, i) => {
        this.foundSamples++;
        const { column, row } = cellOf(labels, timestamp);
        const state = this.#cells[column]?.[row] ?? NEVER;
        if (state === NEVER || JSON.stringify(sorted(labels)) !== JSON.stringify(sorted(labelsOf(column, row)))) {
          wrong.push(`${name} has a sample at ${timestamp} that was never written (row ${row})`);
        } else if (values[i] !== valueOf(column, row)) {
          wrong.push(`${name} at ${timestamp} is ${values[i]}, ${valueOf(column, row)} was written (row ${row})`);
        } else if (seen[column].has(row)) {
          wrong.push(`${name} has two samples at ${timestamp} (row ${row})`);
        }
        seen[column]?.add(row);
      });
    }
    this.#cells.forEach((cells, column) => {
      const missing = cells.flatMap((state, row) => (state === DURABLE && !seen[column].has(row) ? [row] : []));
      if (missing.length > 0) {
        const [row] = missing;
        wrong.push(
          `${JSON.stringify(labelsOf(column, row))} lacks ${missing.length} durable samples, the first at ${timestampOf(column, row)} (row ${row} of ${this.#announced}, this round began at ${this.#roundBegan})`,
        );
      }
      // What was not found now must not come back later.
      cells.forEach((_, row) => (cells[row] = seen[column].has(row) ? DURABLE : NEVER));
    });
    this.#checkSnapshots(snapshots, wrong);
    this.#roundBegan = this.#announced;
    this.#heardOfRound = false;
    this.#accepted = [];
    return wrong.length > TOLD ? [...wrong.slice(0, TOLD), `and ${wrong.length - TOLD} more`] : wrong;
  }

  #checkSnapshots(snapshots, wrong) {
    if (new Set(snapshots).size !== snapshots.length) wrong.push(`a snapshot is listed twice: ${snapshots}`);
    for (const name of snapshots) {
      if (!/^\d{14}-[0-9A-F]{16}$/.test(name)) wrong.push(`a snapshot has the name ${name}`);
      if (this.#snapshots.get(name) === "gone")
        wrong.push(`the snapshot ${name} was deleted and is back; heard: ${this.#heardOfSnapshots.get(name)}`);
    }
    for (const [name, state] of this.#snapshots)
      if (state === "there" && !snapshots.includes(name)) wrong.push(`the snapshot ${name} is missing`);
    this.#looks++;
    for (const [name, state] of this.#snapshots)
      if (state === "perhaps" && !snapshots.includes(name)) this.#note(name, "gone", "not found");
    for (const name of snapshots) this.#note(name, "there", "found");
    this.snapshotsFound = snapshots.length;
  }
}

const sorted = (labels) => Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));

/** See `encodeSeries` in writer.mjs. */
function decodeSeries(body) {
  const end = body.indexOf(10) + 1;
  const numbers = new Float64Array(body.buffer.slice(body.byteOffset + end, body.byteOffset + body.length));
  let at = 0;
  return JSON.parse(body.subarray(0, end).toString()).map(([labels, count]) => {
    const [timestamps, values] = [numbers.subarray(at, at + count), numbers.subarray(at + count, at + 2 * count)];
    at += 2 * count;
    return { labels, timestamps, values };
  });
}
