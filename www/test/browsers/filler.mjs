// Inside a browser: fills a database until there is no room, with samples that can be computed and hardly be compressed.
const FIRST_TIME = Date.UTC(2024, 0, 10);
const NOW = FIRST_TIME + 300 * 24 * 3600_000;
/** Samples of one append, which goes to a series of its own. */
export const SAMPLES = 20_000;

const timestampOf = (at) => FIRST_TIME + at * 1000;
/** Whole numbers of 40 bits that look like chance. */
function valueOf(append, at) {
  const mixed = (seed) => {
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const seed = append * SAMPLES + at;
  return mixed(seed) * 256 + (mixed(seed ^ 0x5bd1e995) & 255);
}

export default class Filler {
  #db;
  #appended = 0;
  #durable = 0;
  /** What observers were told of the storage. */
  #told = [];

  async open({ entry, name, options }) {
    const { open } = await import(new URL(entry, location.href));
    this.#db = await open({ name, retention: "100y", clock: "manual", startTime: NOW, ...options });
    this.#db.observe(({ type, code }) => (type === "degraded" || type === "restored") && this.#told.push(`${type} ${code}`));
  }

  /** Takes a snapshot of what is there, whose files nobody else has then. */
  async keepSnapshot() {
    await this.#db.snapshots.create();
    await this.#db.forceMerge();
  }

  /** Deletes all snapshots. Answers how many milliseconds that took. */
  async deleteSnapshots() {
    const began = Date.now();
    await this.#db.snapshots.deleteAll();
    return Date.now() - began;
  }

  /** What observers were told since the last call, and the engine's view of its storage. */
  async told() {
    const told = this.#told.splice(0);
    const { isDegraded, waitingBytes } = (await this.#db.inspect()).storage;
    return { told, isDegraded, waitingBytes };
  }

  /** Appends and syncs up to so many times. Answers what was acknowledged, and the error that ended it. */
  async fill(times) {
    for (let n = 0; n < times; n++) {
      try {
        const timestamps = Float64Array.from({ length: SAMPLES }, (_, at) => timestampOf(at));
        await this.#db.append(
          { __name__: "full", append: String(this.#appended) },
          timestamps,
          timestamps.map((_, at) => valueOf(this.#appended, at)),
        );
        this.#appended++;
        await this.#db.sync();
        this.#durable = this.#appended;
      } catch ({ code, message }) {
        return { durable: this.#durable, failure: { code, message } };
      }
    }
    return { durable: this.#durable };
  }

  /** What is wrong with the first `durable` appends, all of which should be there. */
  async check(durable) {
    const wrong = [];
    const found = new Map((await this.#db.select("full")).map((series) => [Number(series.labels.append), series]));
    for (let append = 0; append < durable; append++) {
      const { timestamps, values } = found.get(append) ?? { timestamps: [], values: [] };
      if (timestamps.length !== SAMPLES) wrong.push(`append ${append} has ${timestamps.length} samples`);
      const at = timestamps.findIndex((timestamp, at) => timestamp !== timestampOf(at));
      if (at >= 0) wrong.push(`append ${append} has ${timestamps[at]} for ${timestampOf(at)}`);
      const other = values.findIndex((value, at) => value !== valueOf(append, at));
      if (other >= 0) wrong.push(`append ${append} has ${values[other]} for ${valueOf(append, other)}`);
    }
    return wrong;
  }

  /** Tries `sync()` until it ends well. Answers whether it did. */
  async recover(times) {
    for (let n = 0; n < times; n++) {
      try {
        await this.#db.sync();
        this.#durable = this.#appended;
        return true;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    return false;
  }

  close() {
    return this.#db.close();
  }
}
