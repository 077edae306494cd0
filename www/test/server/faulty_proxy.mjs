// A proxy that loses what it is told to lose: in front of a real server, so that what the server has taken is known.
import { createServer, request as requestTo } from "node:http";
import { buffer } from "node:stream/consumers";

const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "*",
  "access-control-allow-methods": "POST",
};

/**
 * What may become of a request, by name. `body` is all of it; `forward` brings it, or some of it, to the server and resolves with its answer.
 *
 * - `pass`: nothing happens to it
 * - `cut`: the connection ends before the server has seen anything
 * - `half`: the server gets half of the body, then both connections end
 * - `lost`: the server takes it, and the connection ends before the answer
 * - `hang`: the server takes it, and no answer comes
 * - a number: that is the status, and the server has seen nothing
 */
export class FaultyProxy {
  /** What is to become of the next requests, one after another; then they pass. */
  plan = [];
  /** What becomes of requests behind the plan. */
  otherwise = "pass";
  /** What has become of each request, in order. */
  seen = [];
  /** Headers of answers that are not the server's. */
  headers = {};
  /** Called before each request. */
  before = async () => {};
  #server;
  #target;
  #hanging = new Set();

  /** @param {string} target the server's URL @param {(path: string) => string} [rewrite] */
  static async start(target, rewrite = (path) => path) {
    const proxy = new FaultyProxy();
    proxy.#target = new URL(target);
    proxy.#server = createServer((request, response) => {
      proxy.#answer(request, response, rewrite).catch(() => request.socket.destroy());
    });
    await new Promise((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    proxy.url = `http://127.0.0.1:${proxy.#server.address().port}`;
    return proxy;
  }

  async #answer(request, response, rewrite) {
    if (request.method === "OPTIONS") return void response.writeHead(204, CORS).end();
    const body = await buffer(request);
    const fate = this.plan.shift() ?? this.otherwise;
    this.seen.push({ fate, path: request.url, headers: request.headers, bytes: body.length });
    await this.before(this.seen.length);
    const path = rewrite(request.url);
    switch (fate) {
      case "pass": {
        const { status, content } = await this.#forward(request, path, body);
        return void response.writeHead(status, CORS).end(content);
      }
      case "cut":
        return void request.socket.destroy();
      case "half":
        await this.#forward(request, path, body.subarray(0, body.length >> 1), body.length).catch(() => {});
        return void request.socket.destroy();
      case "lost":
        await this.#forward(request, path, body);
        return void request.socket.destroy();
      case "hang":
        await this.#forward(request, path, body);
        this.#hanging.add(request.socket);
        return;
      default:
        return void response.writeHead(fate, { ...CORS, ...this.headers }).end(`no, ${fate}`);
    }
  }

  #forward({ method, headers }, path, body, announced = body.length) {
    return new Promise((resolve, reject) => {
      const { hostname, port } = this.#target;
      const upstream = requestTo({ hostname, port, path, method, headers: { ...headers, "content-length": announced }, agent: false });
      upstream.once("error", reject);
      upstream.once("response", async (answer) => resolve({ status: answer.statusCode, content: await buffer(answer) }));
      upstream.write(body, () => {
        if (announced === body.length) return upstream.end();
        upstream.destroy();
        reject(new Error("cut"));
      });
    });
  }

  async stop() {
    for (const socket of this.#hanging) socket.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
