// How long it takes to get at a stored database of ten million samples: the page is loaded anew each time, and nothing of the
// package or the database is in its memory.
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { visit } from "../test/package/persistent.mjs";
import { serve } from "../test/server/chromium.mjs";
import { temporaryDirectory } from "../test/server/victoriametrics.mjs";

/** Ten million samples in a thousand series, of two places behind the point. */
const DATA = { hosts: 100, hours: 28, decimals: 2 };
const SELECTOR = 'cpu_usage_user{hostname="host_42"}';

/**
 * Fills a database and opens it again and again.
 *
 * @param {object} options
 * @param {string} options.directory of the installed package
 * @param {string} options.entry within the package
 * @param {"indexeddb" | "opfs"} options.storage
 * @param {number} options.opens
 * @param {AbortSignal} [options.signal] ends the browser
 * @returns {Promise<{ samples: number, series: number, starts: object[] }>} `starts` are what `start` of page-start.mjs answers
 */
export async function measureStart({ directory, entry, storage, opens, signal }) {
  const profile = await temporaryDirectory("start");
  const server = await serve({ package: directory, www: fileURLToPath(new URL("..", import.meta.url)) });
  let browser;
  try {
    browser = await visit(profile, server.url);
    signal?.addEventListener("abort", () => browser.close().catch(() => {}));
    const { page } = browser;
    page.setDefaultTimeout(0);
    const call = (name, argument) =>
      page.evaluate(async ([name, argument]) => (await import("/www/bench/page-start.mjs"))[name](argument), [name, argument]);
    const place = { entry: `/package/${entry}`, name: "start", storage };
    const filled = await call("fill", { ...place, ...DATA });
    const starts = [];
    for (let n = 0; n < opens; n++) {
      await page.reload();
      starts.push(await call("start", { ...place, selector: SELECTOR }));
    }
    return { ...filled, starts };
  } finally {
    await browser?.close();
    await server.close();
    await rm(profile, { recursive: true, force: true });
  }
}
