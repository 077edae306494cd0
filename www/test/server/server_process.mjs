// A server of somebody else's that a test runs: started, waited for, and ended with the test.
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

/** How long a server may take until it answers. */
const PATIENCE_MS = 60_000;
/** How much of what a server prints is kept. */
const LOG_LENGTH = 200_000;

export class ServerProcess {
  #process;
  #log = "";
  #ended;
  #exit;

  /**
   * Starts a server and waits until it answers.
   *
   * @param {object} options
   * @param {string} options.name for those who read why it did not start
   * @param {string[]} options.command the program and its arguments
   * @param {string} options.readyUrl answered well once the server is ready
   * @param {Record<string, string>} [options.environment] further variables
   */
  static async start({ name, command: [program, ...args], readyUrl, environment = {} }) {
    const server = new ServerProcess();
    server.#run(program, args, { ...process.env, ...environment });
    for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(25)) {
      if (server.#ended !== undefined) throw new Error(`${name} ${server.#ended}\n${server.log}`);
      const answer = await fetch(readyUrl).catch(() => undefined);
      if (answer?.ok) return server;
      if (Date.now() > deadline) {
        await server.end("SIGKILL");
        throw new Error(`${name} did not answer within a minute\n${server.log}`);
      }
    }
  }

  #run(program, args, env) {
    this.#process = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream.setEncoding("utf8").on("data", (text) => (this.#log = (this.#log + text).slice(-LOG_LENGTH)));
    // A test that dies must not leave its server behind.
    const reap = () => this.#process.kill("SIGKILL");
    process.once("exit", reap);
    this.#exit = new Promise((resolve) => {
      this.#process.once("error", (error) => resolve((this.#ended = `cannot be started: ${error.message}`)));
      this.#process.once("exit", (code, signal) => resolve((this.#ended = `ended with ${signal ?? `code ${code}`}`)));
    }).finally(() => process.removeListener("exit", reap));
  }

  /** What the server has printed (the last 200 kB). */
  get log() {
    return this.#log;
  }

  get pid() {
    return this.#process.pid;
  }

  /** Sends the server a signal, and resolves with how it ended. */
  end(signal) {
    this.#process.kill(signal);
    return this.#exit;
  }
}
