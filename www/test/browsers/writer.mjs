// Inside a browser: what is going on in a database while the browser is killed. Several things at once: samples come in by every
// door, and meanwhile flushes, merges, the passing of time, snapshots and `sync()`. What was acknowledged is reported out of the
// browser at once.
import { random } from "../server/generate.mjs";
import { COLUMNS, EVERY_ROW, MONTHS, NOW, epochEnd, labelsOf, monthOf, timestampOf, valueOf } from "./rows.mjs";

/** Rows that are announced at a time. */
const ANNOUNCED_ROWS = 200;
/** A round ends its writing here: the time of the checks grows with the rows. */
const ROUND_ROWS = 1_200;
/** More snapshots than this are deleted again. */
const SNAPSHOTS = 3;

const DAY_MS = 24 * 3600_000;

/** A page that goes away closes its databases, and tells that nobody knows what has become of calls under way. */
let isLeaving = false;
addEventListener("pagehide", () => (isLeaving = true));

/** The page is going away. */
class Leaving extends Error {}

const columns = Array.from({ length: COLUMNS }, (_, column) => column);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export default class Writer {
  #db;
  #name;
  #random;
  #accepted = 0;

  /** Opens the database. `entry` is the package's; `options` go to `open`; `isReal` asks for the wall clock. */
  async open({ entry, name, seed, isReal, options }) {
    const sandglass = await import(new URL(entry, location.href));
    this.#name = name;
    this.#random = random(seed);
    // Half of the rounds live by the wall clock, the others have days pass within seconds.
    // Those begin at an instant of their own: a snapshot that was deleted has left its name to the next of the same second.
    const startTime = NOW + this.#random.integer(DAY_MS);
    const clock = this.#random() < 0.5 || isReal ? { clock: "real" } : { clock: "manual", startTime };
    this.#db = await sandglass.open({ name, retention: "100y", ...clock, ...options });
    this.isManual = clock.clock === "manual";
  }

  /** Tells what is there: posts all samples, and answers the list of snapshots. */
  async look() {
    const found = await this.#db.select(EVERY_ROW);
    await this.#post("found", encodeSeries(found));
    const snapshots = await this.#db.snapshots.list();
    // Its files are all there and as long as they should be.
    if (snapshots.length > 0) await drain(this.#db.snapshots.download(this.#random.pick(snapshots)));
    return snapshots;
  }

  /** Goes on from a row until the browser is killed. Answers at once; a failure is posted. */
  write(firstRow, snapshots) {
    this.#accepted = firstRow;
    const activities = [this.#append(firstRow), this.#repeat(5, 80, () => this.#sync()), this.#repeat(10, 100, () => this.#db.flush())];
    activities.push(this.#repeat(80, 400, () => this.#db.forceMerge()));
    activities.push(this.#snapshots([...snapshots]));
    if (this.isManual) activities.push(this.#repeat(10, 60, () => this.#db.tick(200 + this.#random.integer(4_000))));
    Promise.all(activities).catch((error) => {
      if (!(error instanceof Leaving) && !(isLeaving && ["closed", "interrupted"].includes(error.code)))
        void this.#post("failed", `${error.code}: ${error.message}\n${error.stack}`);
    });
  }

  /** Goes on from a row, a few rows at a time, and never asks for anything to be written. Answers at once; a failure is posted. */
  drip(firstRow) {
    const append = async () => {
      for (let announced = firstRow, row = firstRow; row < firstRow + ROUND_ROWS; await pause(100)) {
        if (row === announced) await this.#post("announced", String((announced += ANNOUNCED_ROWS)));
        const end = Math.min(row + 5, announced, epochEnd(row));
        await appendColumns(this.#db, row, end);
        await this.#post("accepted", String((row = end)));
      }
    };
    append().catch((error) => error instanceof Leaving || this.#post("failed", `${error.code}: ${error.message}\n${error.stack}`));
  }

  close() {
    return this.#db.close();
  }

  async #append(firstRow) {
    for (let announced = firstRow, row = firstRow; row < firstRow + ROUND_ROWS; ) {
      if (row === announced) await this.#post("announced", String((announced += ANNOUNCED_ROWS)));
      const end = Math.min(row + 1 + this.#random.integer(60), announced, epochEnd(row));
      await this.#random.pick([appendRows, appendColumns, ingestText, ingestJson])(this.#db, row, end);
      this.#accepted = row = end;
      if (this.#random() < 0.5) await pause(this.#random.integer(40));
    }
  }

  async #sync() {
    const covered = this.#accepted;
    await this.#db.sync();
    await this.#post("durable", String(covered));
  }

  async #snapshots(names) {
    for (;;) {
      await pause(100 + this.#random.integer(400));
      if (names.length < SNAPSHOTS) {
        const covered = this.#accepted;
        const name = await this.#db.snapshots.create();
        names.push(name);
        await this.#post("durable", String(covered));
        await this.#post("snapshot", name);
      } else {
        const [name] = names.splice(this.#random.integer(names.length), 1);
        await this.#post("deleting", name);
        await this.#db.snapshots.delete(name);
        await this.#post("deleted", name);
      }
    }
  }

  async #repeat(least, most, work) {
    for (;;) {
      await pause(least + this.#random.integer(most - least));
      await work();
    }
  }

  async #post(what, body) {
    // Nothing but the end of the page keeps a report from the server.
    const response = await fetch(`/post/${this.#name}/${what}`, { method: "POST", body }).catch(() => Promise.reject(new Leaving()));
    if (!response.ok) throw new Error(`the report "${what}" was answered with ${response.status}`);
  }
}

// ---- the doors ------------------------------------------------------------------------------------------------------------

async function appendRows(db, from, to) {
  for (const month of MONTHS) {
    const together = columns.filter((column) => monthOf(column) === month);
    const handles = together.map((column) => db.series(labelsOf(column, from)));
    for (let row = from; row < to; row++)
      await db.appendRow(
        handles,
        timestampOf(month, row),
        together.map((column) => valueOf(column, row)),
      );
  }
}

const rowsOf = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);

async function appendColumns(db, from, to) {
  const rows = rowsOf(from, to);
  const calls = columns.map((column) =>
    db.append(
      labelsOf(column, from),
      rows.map((row) => timestampOf(column, row)),
      Float64Array.from(rows, (row) => valueOf(column, row)),
    ),
  );
  await Promise.all(calls);
}

async function ingestText(db, from, to) {
  const line = (column, row) => {
    const { __name__, ...labels } = labelsOf(column, row);
    const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
    return `${__name__}{${pairs}} ${valueOf(column, row)} ${timestampOf(column, row)}`;
  };
  const body = rowsOf(from, to)
    .flatMap((row) => columns.map((column) => line(column, row)))
    .join("\n");
  check(await db.ingest(body, { format: "prometheus" }), (to - from) * COLUMNS);
}

async function ingestJson(db, from, to) {
  const rows = rowsOf(from, to);
  const line = (column) =>
    JSON.stringify({
      metric: labelsOf(column, from),
      values: rows.map((row) => valueOf(column, row)),
      timestamps: rows.map((row) => timestampOf(column, row)),
    });
  check(await db.ingest(columns.map(line).join("\n"), { format: "jsonl" }), (to - from) * COLUMNS);
}

function check({ samples, errors }, expected) {
  if (samples !== expected) throw new Error(`${samples} samples were taken of ${expected}: ${JSON.stringify(errors)}`);
}

// ---- telling --------------------------------------------------------------------------------------------------------------

/** One line of JSON with all labels and counts, padded to whole words, then the timestamps and values of one series after the other. */
function encodeSeries(found) {
  const text = JSON.stringify(found.map(({ labels, timestamps }) => [labels, timestamps.length]));
  const head = new TextEncoder().encode(`${text.padEnd(text.length + ((8 - ((text.length + 1) % 8)) % 8))}\n`);
  return new Blob([head, ...found.flatMap(({ timestamps, values }) => [timestamps, values])]);
}

async function drain(stream) {
  const reader = stream.getReader();
  while (!(await reader.read()).done);
}
