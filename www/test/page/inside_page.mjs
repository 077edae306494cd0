// The rooms Inside and Chapters in a browser, for the tests that play them.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { openPage } from "../server/chromium.mjs";

const BUILT = fileURLToPath(new URL("../../../dist/page", import.meta.url));
export const source = (path) => readFile(new URL(`../../page/${path}`, import.meta.url), "utf8");
/** What stands in the lists of situations and chapters; the page itself is their only other reader. */
export const ids = async (path) => [...(await source(path)).matchAll(/^ {4}id: "([\w-]+)"/gm)].map(([, id]) => id);

/** Until a busy machine has worked through what was asked for. */
const PATIENCE = { timeout: 60_000 };

/** In a window of this size, or of the browser's own. */
export async function visitInside(size) {
  const visit = await openPage({ mounts: { page: BUILT } });
  const { page } = visit;
  if (size) await page.setViewportSize(size);
  const dataset = () => page.evaluate(() => ({ ...document.querySelector("[data-at]").dataset }));
  /** A fresh visit; an address that differs behind the # alone would be followed without one. */
  const goTo = async (hash) => {
    await page.goto(`${visit.url}/blank.html`);
    await page.goto(`${visit.url}/page/index.html${hash}`);
  };
  return {
    ...visit,
    goTo,
    async open(hash) {
      await goTo(hash);
      await page.waitForSelector("[data-transport]");
    },
    /** Where it came to rest, and the fingerprint of that. */
    async rest() {
      await page.waitForFunction(() => document.querySelector("[data-at]")?.dataset.print, null, PATIENCE);
      return dataset();
    },
    async atRest(ms) {
      await page.waitForFunction(
        (ms) => document.querySelector("[data-at]")?.dataset.at === String(ms) && document.querySelector("[data-at]").dataset.print,
        ms,
        PATIENCE,
      );
      return (await dataset()).print;
    },
    seek: (ms) =>
      page.evaluate((ms) => {
        const line = document.querySelector("[data-transport] input");
        line.step = "1";
        line.value = String(ms);
        line.dispatchEvent(new Event("input", { bubbles: true }));
      }, ms),
    /** Until it plays and stands at `ms` or later. */
    played: (ms) => page.waitForFunction((ms) => Number(document.querySelector("[data-at]")?.dataset.at) >= ms, ms, PATIENCE),
    /** Plays on from where it stands until after `ms`, and stops there. */
    async playPast(ms, speed) {
      await page.selectOption("[data-transport] select", speed);
      await page.waitForFunction(
        (ms) => {
          const play = document.querySelector("[data-play]");
          const isPast = Number(document.querySelector("[data-at]").dataset.at) >= ms;
          if (isPast === (play.getAttribute("aria-label") === "Pause")) play.click();
          return isPast;
        },
        ms,
        PATIENCE,
      );
      await page.waitForSelector('[data-play][aria-label="Play"]');
      return this.rest();
    },
    press: (key) => page.keyboard.press(key),
    /** What the browser has complained about since the last time. */
    complaints: () => visit.errors.splice(0),
  };
}
