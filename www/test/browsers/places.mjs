// In the page: where an engine runs. Each place gives a writer with the same calls, all of them asynchronous.
import { Writer } from "./writer.mjs";

class WriterInWorker {
  #worker = new Worker(new URL("./writer_worker.mjs", import.meta.url), { type: "module" });
  #waiting = new Map();
  #asked = 0;

  constructor() {
    this.#worker.onmessage = ({ data: { id, answer, failure } }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (failure === undefined) resolve(answer);
      else reject(Object.assign(new Error(failure.message), failure));
    };
    this.#worker.onerror = ({ message }) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the worker has failed: ${message}`));
      this.#waiting.clear();
    };
  }

  #ask(call, ...args) {
    const id = this.#asked++;
    this.#worker.postMessage({ id, call, args });
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  open(options) {
    return this.#ask("open", options);
  }

  look() {
    return this.#ask("look");
  }

  write(firstRow, snapshots) {
    return this.#ask("write", firstRow, snapshots);
  }

  async close() {
    await this.#ask("close");
    this.#worker.terminate();
  }
}

const writers = new Map();

/** Opens a database and answers what is in it. `ownWorker` puts the calling code into a worker of its own. */
export async function open({ ownWorker, ...options }) {
  const writer = ownWorker ? new WriterInWorker() : new Writer();
  writers.set(options.name, writer);
  await writer.open(options);
}

export const look = (name) => writers.get(name).look();
export const write = (name, firstRow, snapshots) => writers.get(name).write(firstRow, snapshots);
export const close = (name) => writers.get(name).close();
