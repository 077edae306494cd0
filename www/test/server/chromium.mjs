// A page in a headless Chromium of the system, served from this process.
import { createReadStream, createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { chromium } from "playwright-core";

/** What a browser needs in a container, as root and without a graphics card; and nothing that asks the network. */
export const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

/**
 * Serves folders on the loopback interface: a request for `/MOUNT/path` answers the file `path` of `mounts[MOUNT]`. A PUT to
 * `/upload/NAME` writes the file NAME of `uploads`, so that a page can hand over what is too large for a message. A POST to
 * `/post/…` is handed to `received`, which may answer. The answer of `/log-out` asks the browser to clear the site's storage.
 *
 * @param {Record<string, string>} mounts
 * @param {string} [uploads]
 * @param {string} [head] what stands in the head of the empty page, such as an import map
 * @param {(path: string[], body: Buffer) => Promise<string> | void} [received] gets what comes behind `/post/`, and the body; it may answer
 */
export async function serve(mounts, uploads, head = "", received) {
  const server = createServer(async (request, response) => {
    try {
      const [, mount, ...rest] = decodeURIComponent(new URL(request.url, "http://localhost").pathname).split("/");
      if (request.method === "POST" && mount === "post" && received !== undefined) {
        const answer = await received(rest, await buffer(request));
        response.writeHead(answer === undefined ? 204 : 200).end(answer);
        return;
      }
      if (request.method === "PUT" && mount === "upload" && uploads !== undefined && /^[\w.-]+$/.test(rest.join("/"))) {
        await pipeline(request, createWriteStream(join(uploads, rest[0])));
        response.writeHead(204).end();
        return;
      }
      if (mount === "" || mount === "blank.html") {
        response.writeHead(200, { "content-type": TYPES[".html"] }).end(`<!doctype html><title>test</title>${head}`);
        return;
      }
      if (mount === "log-out") {
        response.writeHead(200, { "clear-site-data": '"storage"' }).end("logged out");
        return;
      }
      if (mount === "favicon.ico") {
        response.writeHead(204).end();
        return;
      }
      const root = mounts[mount]?.replace(/\/$/, "");
      const path = root && normalize(join(root, ...rest));
      if (!path?.startsWith(root + sep) || !(await stat(path).catch(() => undefined))?.isFile()) {
        response.writeHead(404).end();
        return;
      }
      response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream" });
      await pipeline(createReadStream(path), response);
    } catch (error) {
      response.destroy(error);
    }
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    url: `http://localhost:${server.address().port}`,
    close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))),
  };
}

/**
 * Opens an empty page in a new browser. Errors of the page are collected in `errors`.
 *
 * @param {object} options
 * @param {Record<string, string>} options.mounts see `serve`
 * @param {string} [options.uploads] see `serve`
 * @param {string} [options.head] see `serve`
 * @param {string[]} [options.flags] further flags of the browser
 * @param {string} [options.program] a program to start instead of CHROMIUM
 */
export async function openPage({ mounts, uploads, head, flags = [], program = process.env.CHROMIUM ?? "chromium" }) {
  const server = await serve(mounts, uploads, head);
  let browser;
  try {
    browser = await chromium.launch({
      executablePath: program.includes("/") ? program : await which(program),
      headless: true,
      args: [...FLAGS, ...flags],
    });
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error.stack ?? error)));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await page.goto(`${server.url}/blank.html`);
    return {
      page,
      errors,
      url: server.url,
      async close() {
        await browser.close();
        await server.close();
      },
    };
  } catch (error) {
    await browser?.close();
    await server.close();
    throw error;
  }
}

/** The path of a program; the browser's driver does not look into PATH. */
export async function which(program) {
  for (const directory of (process.env.PATH ?? "").split(":")) {
    const path = join(directory, program);
    if ((await stat(path).catch(() => undefined))?.isFile()) return path;
  }
  throw new Error(`${program} is missing; install the package 'chromium' or name the program in CHROMIUM`);
}
