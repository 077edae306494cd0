// A server whose pages do what a test tells them: each asks what comes next, and posts what has become of it (follow.mjs). So a test
// needs nothing of a browser but that it opens a page.
import { fileURLToPath } from "node:url";
import { serve } from "../server/chromium.mjs";

/** So long a page that was told something is waited for. */
const PATIENCE_MS = 40_000;
/** What is served beside the mounts of the test. */
const OWN = { other_browsers: fileURLToPath(new URL(".", import.meta.url)) };
const HEAD = '<script type="module" src="/other_browsers/follow.mjs"></script>';

/**
 * Serves as `serve` does, to pages that are told what to do.
 *
 * @param {Record<string, string>} mounts see `serve`
 * @param {string} [uploads] see `serve`
 * @param {string} [head] see `serve`
 * @param {(path: string[], body: Buffer) => Promise<string> | void} [received] see `serve`
 */
export async function direct(mounts, uploads, head = "", received = undefined) {
  const tabs = new Map();
  /** What no page has asked for: uncaught errors. */
  const errors = [];
  const server = await serve({ ...mounts, ...OWN }, uploads, HEAD + head, (path, body) => {
    const [what, name, load] = path;
    if (load === undefined) return received?.(path, body);
    if (what === "trouble") return void errors.push(body.toString());
    return tabs.get(name)?.heard(what, load, body);
  });
  let made = 0;
  return {
    ...server,
    errors,
    /** A tab of its own, and the address to open in it. */
    newTab() {
      const tab = new Tab(server.url, String(made++));
      tabs.set(tab.name, tab);
      return tab;
    },
    /** The browser has gone, and nothing that it was told will be answered. */
    forget(tab) {
      tabs.delete(tab.name);
      tab.lose("the browser has gone");
    },
  };
}

/** A tab, in which one page follows the other. */
class Tab {
  name;
  #url;
  #load;
  #waiting = new Map();
  #tasks = [];
  #asking;
  #made = 0;
  #came = () => {};
  #left = () => {};

  constructor(url, name) {
    this.#url = url;
    this.name = name;
  }

  /** An address of the server for a page of this tab. */
  address(url = `${this.#url}/blank.html`) {
    const address = new URL(url);
    address.searchParams.set("tab", this.name);
    return address.href;
  }

  /** Calls a function in the page and waits for what it answers; it sees nothing but its argument. */
  evaluate(run, argument) {
    const id = `answer-${this.#made++}`;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#hand({ id: id.slice("answer-".length), run: String(run), argument });
    return inTime(answer, "the page has not answered");
  }

  /** Goes to another page. */
  goto(url) {
    return this.#leave((url) => void (location.href = url), this.address(url));
  }

  reload() {
    return this.#leave(() => location.reload());
  }

  /** Answers whether the page is the very one that was left. */
  goBack() {
    return this.#leave(() => history.back());
  }

  /** Closes the tab, which a script has opened. */
  async close() {
    const left = new Promise((resolve) => (this.#left = resolve));
    this.#hand({ run: String(() => window.close()), isLast: true });
    await inTime(left, "the tab does not close");
  }

  /** Resolves when the tab's next page is there. */
  comes() {
    return inTime(new Promise((resolve) => (this.#came = resolve)), "no page has come");
  }

  lose(reason) {
    for (const { reject } of this.#waiting.values()) reject(new Error(reason));
    this.#waiting.clear();
  }

  async #leave(run, argument) {
    const coming = this.comes();
    this.#hand({ run: String(run), argument, isLast: true });
    return coming;
  }

  #hand(task) {
    this.#tasks.push(task);
    this.#next();
  }

  #next() {
    if (this.#asking === undefined || this.#tasks.length === 0) return;
    const ask = this.#asking;
    this.#asking = undefined;
    ask(JSON.stringify(this.#tasks.shift()));
  }

  heard(what, load, body) {
    if (what === "left") return this.#left();
    const told = JSON.parse(body.toString());
    if (what === "next") {
      if (load !== this.#load) this.#came(told.isRestored);
      this.#load = load;
      return new Promise((resolve) => {
        this.#asking = resolve;
        this.#next();
      });
    }
    const call = this.#waiting.get(what);
    this.#waiting.delete(what);
    if (told.failure === undefined) return void call?.resolve(told.answer);
    const { code, message, stack } = told.failure;
    return void call?.reject(Object.assign(new Error(`${message}\n${stack}`), { code }));
  }
}

/** What comes within the patience that there is, or a failure. */
async function inTime(coming, failure) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${failure} in ${PATIENCE_MS / 1000} s`)), PATIENCE_MS).unref();
  });
  try {
    return await Promise.race([coming, late]);
  } finally {
    clearTimeout(timer);
  }
}
