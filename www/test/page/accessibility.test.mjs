// What axe finds in every room, in both themes: nothing. And what it cannot see: colours of what is drawn, and what is told when.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { visitInside } from "./inside_page.mjs";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const SNAPSHOT = fileURLToPath(new URL("../../../tests/golden/upgraded_1.79.5_to_v1.150.0.tar.gz", import.meta.url));

let inside;
let page;
before(async () => {
  inside = await visitInside({ width: 1280, height: 900 });
  page = inside.page;
});
after(() => inside?.close());

/** All rules but those that are about nothing here; the one on names that say something else than what is read is not on by itself. */
async function findings() {
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.addScriptTag({ path: AXE });
  // Movements of the style sheet are over.
  await page.evaluate(() =>
    Promise.all(
      document
        .getAnimations()
        .filter(({ effect }) => effect.getTiming().iterations !== Infinity)
        .map((animation) => animation.finished.catch(() => {})),
    ),
  );
  // What is found right is not described: that takes longer than to find it.
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, {
      rules: { "label-content-name-mismatch": { enabled: true } },
      resultTypes: ["violations"],
      selectors: false,
    }),
  );
  return violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes
        .map(
          ({ html, any, all }) =>
            `${html.slice(0, 160)} (${[...any, ...all]
              .map(({ message }) => message)
              .join("; ")
              .slice(0, 200)})`,
        )
        .slice(0, 4)
        .join("\n  ")}`,
  );
}

const lookInto = async () => {
  await inside.rest();
  await page.focus("[data-picture] canvas");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await page.waitForSelector('[aria-label^="Blocks of part"] button');
};

/** What is looked at, and the way there. */
const VIEWS = {
  live: async () => {
    await inside.goTo("#live");
    await page.waitForFunction(
      () =>
        !/writing/.test(document.querySelector('[aria-label="State of the database"]').textContent) &&
        document.querySelector("[aria-label^=Partition] button"),
      null,
      { timeout: 90_000 },
    );
    await page.waitForSelector("figcaption li");
  },
  "live, its dialog": async () => page.getByRole("button", { name: "Start over…" }).click(),
  "live, a snapshot and a second chart": async () => {
    await page.getByRole("button", { name: "Keep it" }).click();
    if ((await page.locator("[aria-labelledby=snapshot-title] ul li").count()) === 0)
      await page.getByRole("button", { name: "Take a snapshot" }).click();
    await page.waitForSelector("[aria-labelledby=snapshot-title] ul li");
    await page.getByRole("button", { name: "Add a chart" }).click();
    await page.waitForFunction(() => document.querySelectorAll("figcaption ul")[1]?.children.length > 0);
    await page.getByRole("combobox").first().fill("node_lo");
    await page.waitForSelector('[role="option"]');
  },
  "live, a selector that cannot be": async () => {
    await page.getByRole("combobox").first().fill("node_load1{");
    await page.getByRole("combobox").first().press("Enter");
    await page.waitForSelector(".reading.problem");
  },
  explore: async () => {
    await inside.goTo("#explore?q=node_cpu_seconds_total&q=sum(node_load1)&from=now-15m&to=now&sort=-last");
    await page.waitForSelector("[data-plot] canvas", { timeout: 20_000 });
    const button = page.locator("[data-shape] tbody button").first();
    await button.click();
    await button.hover();
  },
  "explore, its metrics and what there is most of": async () => {
    await inside.goTo("#explore?q=node_load1&q=node_load5&hide=1&from=now-15m&to=now&browse=node&count=&focus=device");
    await page.waitForSelector("[data-counted]", { timeout: 20_000 });
    await page.waitForSelector("[aria-label=Metrics] li");
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByRole("button", { name: "History" }).click();
    await page.waitForSelector("[aria-label='Queries that were run'] li");
    await page.locator("[aria-controls$=panel]").click();
  },
  "explore, a trace": async () => {
    await inside.goTo("#explore?q=sum(rate(node_cpu_seconds_total[1m]))&from=now-15m&to=now&trace=");
    await page.waitForSelector("[data-step=read]", { timeout: 20_000 });
  },
  "explore, a table and a mistake": async () => {
    await inside.goTo("#explore?q=node_cpu_seconds_total&q=nope(1)&as=table&order=-value&from=now-15m&to=now");
    await page.waitForSelector("[data-shape=table] tbody td", { timeout: 20_000 });
    await page.waitForSelector(".cm-lintRange-error");
    await page.getByRole("textbox", { name: "Query A" }).click();
    await page.keyboard.press("End");
    await page.keyboard.type("{");
    await page.waitForSelector('[role="option"]');
  },
  "explore, raw samples": async () => {
    await inside.goTo("#explore?q=node_load1&as=raw&from=now-5m&to=now&refresh=live");
    await page.waitForSelector("[aria-label=Samples] td", { timeout: 20_000 });
  },
  "inside, a sample of the page's own database": async () => {
    await page.locator("[aria-label=Samples] td a").first().click();
    await page.waitForSelector('[aria-label="The bytes"]', { timeout: 20_000 });
  },
  "explore, a value that was chosen": async () => {
    await inside.goTo("#explore?q=node_load1&from=now-15m&to=now");
    await page.waitForSelector("[data-plot] canvas", { timeout: 20_000 });
    await page.focus("[data-plot]");
    for (const key of ["ArrowLeft", "ArrowLeft", "Enter"]) await page.keyboard.press(key);
    await page.getByText("Open in Inside").waitFor();
  },
  "explore, a heat map": async () => {
    await inside.goTo("#explore?q=histogram_over_time(node_load1[1m])&as=heatmap&from=now-15m&to=now");
    await page.waitForSelector("[data-heat] canvas", { timeout: 20_000 });
    await page.focus("[data-heat]");
    await page.keyboard.press("ArrowUp");
  },
  "explore, a snapshot that is not here": async () => {
    await inside.goTo("#explore?of=snapshot&q=a");
    await page.waitForSelector("#no-snapshot-title");
  },
  "open, and nothing is": async () => {
    await inside.goTo("#open");
    await page.waitForSelector("[aria-labelledby=bring-title]");
  },
  "an opened snapshot": async () => {
    await inside.goTo("#open");
    await page.setInputFiles("[aria-labelledby=bring-title] input >> nth=0", SNAPSHOT);
    await page.waitForSelector("#opened-title", { timeout: 20_000 });
    await page.waitForFunction(() => /samples read/.test(document.querySelector(".reading").textContent));
    await page.locator("[aria-labelledby=parts-title] li button").first().click();
    await page.waitForSelector('[aria-label^="Blocks of part"] button');
    await page.locator("[aria-labelledby=look-title] details summary").click();
  },
  "an opened snapshot, a block": async () => {
    await page.locator('[aria-label^="Blocks of part"] button').first().click();
    await page.waitForSelector('[aria-label="The bytes"]');
  },
  inside: async () => {
    await inside.open("#inside?s=steady&at=47.3");
    await inside.rest();
  },
  "inside, what embeds it": async () => {
    await page.getByRole("button", { name: "Embed this" }).click();
    await page.getByRole("textbox", { name: "To be put into a page" }).waitFor();
  },
  "inside, numbers of one's own": async () => {
    await inside.open("#inside?s=steady&do=20.5~own_1_5_2&at=29");
    await inside.rest();
    await page.keyboard.press("o");
    await page.getByRole("button", { name: "Look at their bytes" }).waitFor();
  },
  "inside, the index": async () => {
    await page.locator("summary", { hasText: "The index" }).click();
    await page.waitForSelector("[aria-labelledby=index-walk] ul > li");
  },
  "inside, the engine's state": async () => {
    await page.locator("summary", { hasText: "The engine’s state" }).click();
    await page.locator("summary", { hasText: /^partitions / }).click();
  },
  "inside, its keys": async () => page.keyboard.press("?"),
  "inside, embedded": async () => {
    await inside.open("#inside?s=late&at=24&embed");
    await inside.rest();
  },
  "inside, a snapshot on its shelf": async () => {
    await inside.open("#inside?s=snapshot&at=40");
    await page.waitForSelector("[aria-label=Snapshots] button");
  },
  "inside, refusals": async () => {
    await inside.open("#inside?s=full&at=58");
    await page.waitForSelector("[data-troubles] p");
  },
  "inside, a thousand series": async () => {
    await inside.open("#inside?s=many&at=3");
    await lookInto();
  },
  "inside, a part": async () => {
    await inside.open("#inside?s=kinds&do=30~merge&at=31.2");
    await lookInto();
  },
  "inside, a block": async () => {
    await page.locator('[aria-label^="Blocks of part"] button').first().click();
    await page.waitForSelector('[aria-label$="stages of the encoding"]');
  },
  "inside, a part that is gone": async () => {
    await inside.open("#inside?s=steady&at=20&zoom=2024_03.9999");
    await page.waitForSelector("[aria-labelledby=scene-title] .reading");
  },
  chapters: async () => {
    await inside.open("#chapters/why-merge?s=steady&at=75");
    await inside.rest();
  },
  "chapters, the race": async () => {
    await inside.open("#chapters/what-a-merge-saves?s=steady&at=75");
    await inside.rest();
    await page.locator("[aria-label=Chapters] summary").first().click();
    await page.locator("[aria-label=Chapters] summary").last().click();
    await page.getByRole("button", { name: "Race", exact: true }).click();
    await page.getByRole("button", { name: "Race on" }).waitFor();
  },
  "chapters, a query's walk": async () => {
    await inside.open("#chapters/a-querys-walk?s=steady&at=98");
    await inside.rest();
    await page.locator('[aria-label="Your turn"] summary').click();
    await page.waitForSelector("[aria-labelledby=query-walk-title] [data-read]");
  },
  "chapters, numbers of one's own": async () => {
    await inside.open("#chapters/how-numbers-shrink?s=kinds&do=50.3~merge&at=51.5");
    await inside.rest();
    await page.waitForSelector('[aria-labelledby=own-title] [aria-label="The bytes"]');
  },
  "chapters, the index": async () => {
    await inside.open("#chapters/finding-a-series?s=churn&do=26.5~ask&at=27.5");
    await page.waitForSelector("[aria-labelledby=index-walk] ul > li");
  },
};

const THEMES = ["light", "dark"];

// The way to a view takes longer than the look at it: both themes are looked at where it ends.
describe("axe finds nothing", () => {
  for (const [name, go] of Object.entries(VIEWS)) {
    test(`${name}, in the light and in the dark theme`, async () => {
      await page.emulateMedia({ colorScheme: THEMES[0] });
      await go();
      for (const theme of THEMES) {
        await page.emulateMedia({ colorScheme: theme });
        assert.deepEqual(await findings(), [], theme);
        assert.equal(await page.locator("h1").count(), 1);
      }
    });
  }
});

for (const theme of THEMES) {
  test(`what is drawn stands out from its ground in the ${theme} theme`, async () => {
    await page.emulateMedia({ colorScheme: theme });
    await inside.open("#inside?s=steady&at=20");
    await inside.rest();
    const colours = await page.evaluate(() => {
      const names = ["card", "sunk", "on-stage", "ink", "muted", "accent", "danger", "raw", "inmemory", "small", "big", "index"];
      for (let i = 1; i <= 12; i++) names.push(`series-${i}`);
      names.push("series-own");
      for (let i = 1; i <= 8; i++) names.push(`line-${i}`);
      const probe = document.body.appendChild(document.createElement("i"));
      const colourOf = (name) => {
        probe.style.color = `var(--${name})`;
        return getComputedStyle(probe).color.match(/\d+/g).map(Number);
      };
      return Object.fromEntries(names.map((name) => [name, colourOf(name)]));
    });
    const low = [];
    const expect = (one, other, least) => {
      const found = contrast(colours[one], colours[other]);
      if (!(found >= least)) low.push(`${one} on ${other}: ${found.toFixed(2)}`);
    };
    for (const name of Object.keys(colours)) {
      if (/^(raw|inmemory|small|big|index|series-|accent|muted)/.test(name)) expect(name, "sunk", 3);
      // The chart's lines are drawn on a card.
      if (/^(raw|inmemory|small|big|index|series-|line-|accent|muted)/.test(name)) expect(name, "card", 3);
    }
    for (const stage of ["inmemory", "small", "big"]) expect("on-stage", stage, 4.5);
    assert.deepEqual(low, []);
  });
}

/** By WCAG 2. */
function contrast(one, other) {
  const luminance = (colour) => {
    const [r, g, b] = colour.map((of255) => {
      const share = of255 / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

test("a pointer over the chart and over the picture tells listeners nothing, keys do", async () => {
  await inside.goTo("#live");
  await page.getByRole("button", { name: "Load", exact: true }).first().click();
  await page.waitForFunction(
    () => document.querySelector("figcaption ul").children.length === 3 && !document.querySelector(".reading.problem"),
  );
  // What is told is counted by changes of what stands in live regions.
  const watch = () =>
    page.evaluate(() => {
      globalThis.told = [];
      const isLive = (node) =>
        (node.nodeType === 1 ? node : node.parentElement)?.closest?.('[aria-live]:not([aria-live="off"]),[role=status],[role=alert]');
      new MutationObserver((changes) => {
        // A region that is empty tells nothing.
        for (const text of new Set(changes.map(({ target }) => isLive(target)?.textContent))) if (text) globalThis.told.push(text);
      }).observe(document.querySelector("main"), { childList: true, subtree: true, characterData: true });
    });
  const told = () => page.evaluate(() => globalThis.told.splice(0));
  const sweep = async (selector) => {
    await page.locator(selector).scrollIntoViewIfNeeded();
    const box = await page.locator(selector).boundingBox();
    for (let i = 1; i < 20; i++) await page.mouse.move(box.x + (box.width * i) / 20, box.y + box.height * (0.3 + 0.02 * i));
    await page.waitForTimeout(700);
  };
  await watch();
  await sweep("[aria-roledescription=chart] >> nth=0");
  await page.waitForSelector("[data-tooltip]");
  assert.deepEqual(await told(), []);
  await page.focus("[aria-roledescription=chart]");
  for (let i = 0; i < 6; i++) await page.keyboard.press("ArrowLeft");
  await page.waitForTimeout(1000);
  const spoken = await told();
  assert.equal(spoken.length, 1);
  assert.match(spoken[0], /^\d+ [A-Z][a-z]{2} \d\d:\d\d:\d\d: node_load1 [\d.]+, /);
  assert.equal(await page.getAttribute("[aria-roledescription=chart]", "role"), "application");

  await inside.open("#inside?s=steady&at=30");
  await inside.rest();
  await watch();
  await sweep("[data-picture] canvas");
  assert.deepEqual(await told(), []);
  await page.focus("[data-picture] canvas");
  await page.keyboard.press("ArrowRight");
  await page.waitForTimeout(300);
  assert.match((await told()).join(), /part \d+, /);
  assert.deepEqual(inside.complaints(), []);
});

test("nothing moves by itself for who wants it so", async () => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  for (const [hash, start] of [
    ["#inside?s=late", 0],
    ["#chapters/one-second-later", 900],
  ]) {
    await inside.open(hash);
    assert.ok(await inside.atRest(start));
    await page.waitForTimeout(1200);
    assert.equal(await page.getAttribute("[data-play]", "aria-label"), "Play");
    assert.equal((await inside.rest()).at, String(start));
  }
  await page.getByRole("button", { name: "Next" }).click();
  await page.waitForFunction(() => /Five seconds/.test(document.querySelector("#chapter-title").textContent));
  assert.ok(await inside.atRest(3500));
  // Whoever asks for it gets it, to the chapter's end.
  await page.selectOption("[data-transport] select", "30");
  await page.click("[data-play]");
  assert.ok(await inside.atRest(15_500));
  await page.emulateMedia({ reducedMotion: "no-preference" });
  assert.deepEqual(inside.complaints(), []);
});
