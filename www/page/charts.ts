// The charts of the room Live: at least one, and as many more as were asked for. What they show is remembered over a reload.

import { effect, signal } from "@preact/signals";
import type { Database } from "sandglass";
import { ChartFeed, PRESETS } from "./chart_feed";
import { recallList, rememberList } from "./remembered";

const REMEMBERED = "sandglass.charts";
export const MOST_CHARTS = 6;

export class Charts {
  readonly list = signal<readonly ChartFeed[]>([]);
  #database: Database | undefined;

  constructor() {
    const remembered = recall();
    this.list.value = remembered.length > 0 ? remembered.map(({ selector, rate }) => this.#feed(selector, rate)) : [new ChartFeed()];
    effect(() => {
      const shown = this.list.value.map((feed) => ({ selector: feed.selector.value, rate: feed.rate.value }));
      rememberList(REMEMBERED, shown);
    });
  }

  use(database: Database | undefined): void {
    this.#database = database;
    for (const feed of this.list.value) feed.use(database);
  }

  /** One more, of something that is not shown yet. */
  add(): void {
    if (this.list.value.length >= MOST_CHARTS) return;
    const shown = new Set(this.list.value.map((feed) => feed.selector.value));
    const preset = PRESETS.find(({ selector }) => !shown.has(selector)) ?? PRESETS[0];
    const feed = this.#feed(preset?.selector ?? "", preset?.rate ?? false);
    feed.rangeMs.value = this.list.value.at(-1)?.rangeMs.value ?? feed.rangeMs.value;
    feed.use(this.#database);
    this.list.value = [...this.list.value, feed];
  }

  remove(feed: ChartFeed): void {
    feed.use(undefined);
    this.list.value = this.list.value.filter((other) => other !== feed);
  }

  #feed(selector: string, rate: boolean): ChartFeed {
    const feed = new ChartFeed();
    feed.selector.value = selector;
    feed.rate.value = rate;
    return feed;
  }
}

function recall(): { selector: string; rate: boolean }[] {
  const found = recallList(REMEMBERED) as ({ selector?: unknown; rate?: unknown } | null)[];
  return found
    .flatMap((item) =>
      typeof item?.selector === "string" && item.selector !== "" ? [{ selector: item.selector, rate: item.rate === true }] : [],
    )
    .slice(0, MOST_CHARTS);
}
