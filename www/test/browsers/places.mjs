// In the page: where the calling code of a test runs, here or in a worker of its own. It is an object of a class that a module
// exports by default; its methods are called by name.

const WORKER = new URL("./place_worker.mjs", import.meta.url);

class InWorker {
  #worker = new Worker(WORKER, { type: "module" });
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

  call(method, args) {
    const id = this.#asked++;
    this.#worker.postMessage({ id, method, args });
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }
}

const inPage = (object) => ({ call: async (method, args) => object[method](...args) });

const places = new Map();

/** Makes an object of the class of a module, and gives it a name. */
export async function begin({ name, module, ownWorker }) {
  let place;
  if (ownWorker) {
    place = new InWorker();
    await place.call("begin", [module]);
  } else {
    place = inPage(new (await import(module)).default());
  }
  places.set(name, place);
}

export const call = (name, method, ...args) => places.get(name).call(method, args);
