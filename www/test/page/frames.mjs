// Measures frames with the browser's own tracing: 1,000 series and 250 parts, which is as many as a month has before
// writers must help to merge. node test/page/frames.mjs
// Prints the share of frames whose work on the page's thread took more than 16 ms, and of frames that came late.
import { fileURLToPath } from "node:url";
import { openPage } from "../server/chromium.mjs";

const built = fileURLToPath(new URL("../../../dist/page", import.meta.url));
const SECONDS = 8;

const { page, url, close } = await openPage({ mounts: { page: built } });
try {
  await page.setViewportSize({ width: 1440, height: 900 });
  const client = await page.context().newCDPSession(page);
  for (const [name, hash, speed] of [
    ["at rest", "#inside?s=many&do=2.3~flushes&at=2.4", ""],
    ["playing 0.1x, 250 parts", "#inside?s=many&do=2.3~flushes&at=2.4", "0.1"],
    ["playing 1x, 250 parts", "#inside?s=many&do=2.3~flushes&at=2.4", "1"],
    ["playing 8x, 1,000 series", "#inside?s=many&at=20", "8"],
    ["playing 4x, 12 series", "#inside?s=steady&at=20", "4"],
  ]) {
    await page.goto(`${url}/blank.html`);
    await page.goto(`${url}/page/index.html${hash}`);
    await page.waitForFunction(() => document.querySelector("[data-at]")?.dataset.print, null, { timeout: 60_000 });
    await page.waitForTimeout(1500);
    const parts = await page.evaluate(
      () =>
        document
          .querySelector("[data-picture] canvas")
          .getAttribute("aria-label")
          .match(/([\d,]+) parts?/)?.[1],
    );
    if (speed) {
      await page.selectOption("[data-transport] select", speed);
      await page.click("[data-play]");
    }
    const events = [];
    client.on("Tracing.dataCollected", ({ value }) => events.push(...value));
    await client.send("Tracing.start", { categories: "devtools.timeline,toplevel", transferMode: "ReportEvents" });
    await page.waitForTimeout(SECONDS * 1000);
    const over = new Promise((resolve) => client.once("Tracing.tracingComplete", resolve));
    await client.send("Tracing.end");
    await over;
    client.removeAllListeners("Tracing.dataCollected");
    console.log(`${name} (${parts} parts at first): ${report(events)}`);
  }
} finally {
  await close();
}

function report(events) {
  const frames = events.filter((event) => event.name === "FireAnimationFrame").sort((a, b) => a.ts - b.ts);
  if (frames.length < 2) return "no frames were drawn";
  const [{ pid, tid }] = frames;
  const tasks = events
    .filter((event) => event.pid === pid && event.tid === tid && event.ph === "X" && /RunTask$/.test(event.name))
    .sort((a, b) => a.ts - b.ts);
  // Several callbacks can belong to one frame.
  const starts = frames.map((frame) => frame.ts).filter((ts, i, all) => i === 0 || ts - all[i - 1] > 5000);
  // All tasks between two frames are the work of the first.
  let task = tasks.findIndex(({ ts, dur }) => ts + dur >= starts[0]);
  const work = [];
  const waits = [];
  for (let i = 0; i + 1 < starts.length; i++) {
    let sum = 0;
    while (task >= 0 && task < tasks.length && tasks[task].ts < starts[i + 1]) {
      // The thread's own time, where the browser tells it: what other processes took is not the page's.
      sum += tasks[task].tdur ?? tasks[task].dur;
      task++;
    }
    work.push(sum / 1000);
    waits.push((starts[i + 1] - starts[i]) / 1000);
  }
  const share = (list, limit) => `${((100 * list.filter((ms) => ms > limit).length) / list.length).toFixed(1)} %`;
  const middle = work.toSorted((a, b) => a - b)[work.length >> 1];
  return `${work.length} frames; work over 16 ms in ${share(work, 16)}, half of them below ${middle.toFixed(1)} ms; ${share(waits, 25)} came late`;
}
