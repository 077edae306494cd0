// Pictures of each room in both themes and three widths, for people to look at: node test/page/screenshots.mjs [NAME...]
// They lie in dist/screenshots/, which git does not see.
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { openPage } from "../server/chromium.mjs";

const folder = fileURLToPath(new URL("../../../dist/screenshots/", import.meta.url));
const built = fileURLToPath(new URL("../../../dist/page", import.meta.url));

/** What is looked at, by its address, and when it is ready. */
const VIEWS = {
  inside: ["#inside?s=steady&at=47.3", "[data-at] span:not(:empty)"],
  rows: [
    `#inside?s=steady&do=41.2~own${Array.from({ length: 120 }, (_, i) => `_${20 + ((i * i) % 17)}`).join("")}&at=41.9`,
    "[data-own]",
    "rows",
  ],
  state: ["#inside?s=steady&at=47.3", "[data-at] span:not(:empty)", "state"],
  aside: ["#inside?s=duplicates&at=31", "[data-at] span:not(:empty)", "aside"],
  late: ["#inside?s=late&at=24.4", "[data-at] span:not(:empty)"],
  flood: ["#inside?s=flood&at=6.2", "[data-at] span:not(:empty)"],
  snapshot: ["#inside?s=snapshot&at=40", "[aria-label=Snapshots]"],
  import: ["#inside?s=import&at=16", "[data-at] span:not(:empty)"],
  tabs: ["#inside?s=tabs&at=43", '[aria-label="The two tabs"]'],
  full: ["#inside?s=full&at=58", "[data-troubles] p"],
  many: ["#inside?s=many&at=38.5", "[data-at] span:not(:empty)"],
  part: ["#inside?s=kinds&do=30~merge&at=31.2&zoom=", '[aria-label^="Blocks of part"] button', "part"],
  block: ["#inside?s=kinds&do=30~merge&at=31.2&zoom=", '[aria-label$="stages of the encoding"]', "block"],
  chapter: ["#chapters/why-merge", '[aria-label$="of them were taken"]', "wait"],
  race: ["#chapters/what-a-merge-saves?s=steady&at=75", "[aria-labelledby=race-title]", "race"],
  walk: ["#chapters/a-querys-walk?s=steady&at=98", "[aria-labelledby=query-walk-title] [data-read]"],
  own: ["#chapters/how-numbers-shrink?s=kinds&do=50.3~merge&at=51.5", '[aria-labelledby=own-title] [aria-label="The bytes"]'],
  open: ["#open", "[aria-labelledby=bring-title]"],
  opened: ["#open?example", "[aria-labelledby=browser-title]", "opened"],
  keys: ["#inside?s=steady&at=20", "[data-at] span:not(:empty)", "keys"],
  explore: ["#explore", "[data-plot] canvas", "wait"],
  counted: [
    "#explore?q=node_cpu_seconds_total&q=nope(1)&from=now-1h&to=now&sort=-last&browse=node&count=&focus=device",
    "[data-counted]",
    "wait",
  ],
  heatmap: ["#explore?q=histogram_over_time(node_load1[1m])&from=now-15m&to=now&as=heatmap", "[data-heat] canvas", "wait"],
  table: ["#explore?q=node_cpu_seconds_total&as=table&order=-value&from=now-15m&to=now", "[data-shape=table] td", "wait"],
  sample: ["#explore?q=node_load1&as=raw&from=now-15m&to=now", "[aria-label=Samples] td a", "sample"],
  live: ["#live", "figcaption li", "wait"],
};
const wanted = process.argv.slice(2);
const [WIDTHS, THEMES] = [
  process.env.WIDTHS?.split(",").map(Number) ?? [1440, 1024, 390],
  process.env.THEMES?.split(",") ?? ["light", "dark"],
];

await mkdir(folder, { recursive: true });
const { page, errors, url, close } = await openPage({ mounts: { page: built } });
try {
  for (const [name, [hash, ready, then]] of Object.entries(VIEWS)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    for (const theme of THEMES) {
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
        await page.emulateMedia({ colorScheme: theme });
        await page.goto(`${url}/blank.html`);
        await page.goto(`${url}/page/index.html${hash.replace(/&zoom=$/, "")}`);
        if (then === "rows") {
          await page.waitForSelector("[data-at] span:not(:empty)");
          await page.keyboard.press("o");
        }
        if (then === "part" || then === "block") {
          await page.waitForSelector("[data-at] span:not(:empty)");
          await page.focus("[data-picture] canvas");
          await page.keyboard.press("ArrowRight");
          await page.keyboard.press("Enter");
          await page.waitForSelector('[aria-label^="Blocks of part"] button');
          if (then === "block") await page.click('[aria-label^="Blocks of part"] button >> nth=0');
        }
        await page.waitForSelector(ready, { timeout: 20_000 });
        if (then === "aside") await page.click("[aria-labelledby=scene-title] summary");
        if (then === "state") {
          await page.getByText("The engine’s state").click();
          for (const name of ["config", "partitions", "0", "parts"])
            await page
              .locator("summary", { hasText: new RegExp(`^${name} `) })
              .last()
              .click();
        }
        if (then === "keys") await page.keyboard.press("?");
        if (then === "race") {
          await page.getByRole("button", { name: "Race", exact: true }).click();
          await page.getByRole("button", { name: "Race on" }).waitFor();
        }
        if (then === "sample") {
          await page.locator("[aria-label=Samples] td a").nth(100).click();
          await page.waitForSelector('[aria-label="The bytes"]', { timeout: 20_000 });
        }
        if (then === "opened") {
          await page.waitForSelector("figcaption li");
        }
        await page.waitForTimeout(then === "wait" ? 9000 : 900);
        await page.screenshot({ path: `${folder}${name}-${theme}-${width}.png`, fullPage: name !== "keys" });
        console.log(`${name} ${theme} ${width}`);
      }
    }
  }
  if (errors.length > 0) console.error(errors.join("\n"));
  process.exitCode = errors.length > 0 ? 1 : 0;
} finally {
  await close();
}
