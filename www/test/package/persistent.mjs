// A browser whose profile outlives it, and which can be killed as a crash would.
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { FLAGS, serve, which } from "../server/chromium.mjs";

/** So long a page that comes takes at most, on a busy machine. */
const PAGE_COMES_MS = 10_000;

/**
 * Starts Chromium on a profile and opens an empty page of the server.
 *
 * @param {string} profile a folder
 * @param {string} url of a server from `serve`, the same for all visits
 */
export async function visit(profile, url) {
  const program = process.env.CHROMIUM ?? "chromium";
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: program.includes("/") ? program : await which(program),
    headless: true,
    args: FLAGS,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto(`${url}/blank.html`);
  return {
    page,
    context,
    close: () => context.close(),
    /** The most memory that the processes of pages and their workers have had so far, each at its own time. */
    peakBytes() {
      const peakOf = (id) => Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1] ?? 0) * 1024;
      return Math.max(...renderersOf(browserOf(profile)).map(peakOf));
    },
    async kill() {
      process.kill(browserOf(profile), "SIGKILL");
      await context.close().catch(() => {});
    },
    /**
     * A new page of the server after a kill. The process that the browser has kept for the next page was killed, too, and the browser may not
     * know that yet: a page then crashes as it comes, or never comes.
     */
    async anotherPage() {
      for (let attempt = 0; attempt < 10; attempt++) {
        const coming = context.newPage().then(async (page) => {
          await page.goto(`${url}/blank.html`);
          return page;
        });
        const page = await Promise.race([coming, sleep(PAGE_COMES_MS)]).catch(() => undefined);
        coming.catch(() => {});
        if (page !== undefined) return page;
        await sleep(500);
      }
      throw new Error("the browser gives no page any more");
    },
    /** Ends the processes that run pages and their workers, as a crash of a tab does; the browser lives on. */
    killRenderers() {
      const killed = renderersOf(browserOf(profile));
      for (const process_ of killed) process.kill(process_, "SIGKILL");
      return killed.length;
    },
    /**
     * Stops the process of one page with its workers, as an operating system does to a browser in the background. Returns the
     * function that lets it go on. (A headless page counts as visible, and Chromium freezes none that is.)
     */
    async freeze(page) {
      const process_ = await processOf(page, renderersOf(browserOf(profile)));
      process.kill(process_, "SIGSTOP");
      return () => process.kill(process_, "SIGCONT");
    },
  };
}

/** The process that runs a page: the one that is busy when the page is. */
async function processOf(page, candidates) {
  const ticks = (id) =>
    readFileSync(`/proc/${id}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ")
      .slice(11, 13)
      .reduce((sum, ticks) => sum + Number(ticks), 0);
  const before = candidates.map(ticks);
  await page.evaluate(() => {
    for (const end = performance.now() + 400; performance.now() < end; );
  });
  const spent = candidates.map((id, i) => ticks(id) - before[i]);
  return candidates[spent.indexOf(Math.max(...spent))];
}

/** The processes that run pages, among the descendants of the browser. */
function renderersOf(browser) {
  const parents = new Map();
  const renderers = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      // The parent's number is the second word behind the name, which may hold anything.
      const [, parent] = readFileSync(`/proc/${entry}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      parents.set(Number(entry), Number(parent));
      if (readFileSync(`/proc/${entry}/cmdline`, "utf8").split(/[\0 ]/).includes("--type=renderer")) renderers.push(Number(entry));
    } catch {
      // The process has ended meanwhile.
    }
  }
  const isOurs = (id) => id === browser || (parents.has(id) && isOurs(parents.get(id)));
  return renderers.filter(isOurs);
}

/** The process of the browser itself among those that were started with this profile. */
function browserOf(profile) {
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const words = readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0");
      if (words.includes(`--user-data-dir=${profile}`) && !words.some((word) => word.startsWith("--type="))) {
        // A shell script that started it has the same words.
        if (!/\/(ba|da)?sh$/.test(readlinkSync(`/proc/${entry}/exe`))) return Number(entry);
      }
    } catch {
      // The process has ended meanwhile.
    }
  }
  throw new Error("the browser's process was not found");
}

export { serve };
