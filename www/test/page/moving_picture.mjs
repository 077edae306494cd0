// The README's moving picture: twenty seconds inside the engine, at instants that the address names, so that it comes out the same
// each time. Needs `img2webp` (Debian: webp). node test/page/moving_picture.mjs
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openPage } from "../server/chromium.mjs";

const built = fileURLToPath(new URL("../../../dist/page", import.meta.url));
const picture = fileURLToPath(new URL("../../../docs/images/inside.webp", import.meta.url));

const [FIRST_MS, LAST_MS, STEP_MS] = [10_000, 31_000, 200];
/** Twice as fast as the clock inside. */
const FRAME_MS = STEP_MS / 2;
const LAST_FRAME_MS = 2_500;

const folder = await mkdtemp(join(tmpdir(), "sandglass-picture-"));
const { page, url, close } = await openPage({ mounts: { page: built } });
try {
  await page.setViewportSize({ width: 1180, height: 760 });
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  const frames = [];
  for (let at = FIRST_MS; at <= LAST_MS; at += STEP_MS) {
    const hash = `#inside?s=steady&at=${at / 1000}`;
    if (frames.length === 0) await page.goto(`${url}/page/index.html${hash}`);
    else await page.evaluate((hash) => (location.hash = hash), hash);
    const told = `0:${(at / 1000).toFixed(1).padStart(4, "0")}`;
    await page.waitForFunction((told) => document.querySelector("[data-at]")?.textContent.includes(told), told);
    // What the instant looks like is drawn in the frame after it was told.
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    const path = join(folder, `${String(frames.length).padStart(3, "0")}.png`);
    await (await page.$("[data-picture]")).screenshot({ path });
    frames.push(path);
  }
  const args = frames.flatMap((path, at) => [
    "-d",
    String(at === frames.length - 1 ? LAST_FRAME_MS : FRAME_MS),
    "-lossy",
    "-q",
    "70",
    path,
  ]);
  await promisify(execFile)("img2webp", ["-loop", "0", ...args, "-o", picture]);
  console.log(`${frames.length} frames: ${picture}`);
} finally {
  await close();
  await rm(folder, { recursive: true, force: true });
}
