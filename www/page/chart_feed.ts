// Asks the database for what the chart shows, again and again while it follows the present.

import { effect, signal } from "@preact/signals";
import type { Database, SeriesData } from "sandglass";
import { align, type Column, decimate, distinguish, gaps, perSecond, type Table, type Unit, unitOf } from "./model/chart";
import { exactly } from "./model/selector";
import { messageOf } from "./model/trouble";

export interface Drawn {
  /** Changes when the set of lines does. */
  key: string;
  names: string[];
  unit: Unit;
  rate: boolean;
  /** Time over which a rate is taken. */
  windowMs: number;
  table: Table;
  /** Series that match the selector; more than are drawn, perhaps. */
  matched: number;
  /** Samples read for this picture, before any was left out. */
  samples: number;
  /** Milliseconds from the question to the answer. */
  tookMs: number;
  /** Ends of the time axis, in seconds. */
  start: number;
  end: number;
}

export interface Preset {
  name: string;
  selector: string;
  rate: boolean;
}

export const PRESETS: readonly Preset[] = [
  { name: "Load", selector: '{__name__=~"node_load(1|5|15)"}', rate: false },
  { name: "Processor", selector: 'node_cpu_seconds_total{mode=~"user|system|iowait"}', rate: true },
  { name: "Memory", selector: '{__name__=~"node_memory_(Cached|Active|Inactive|AnonPages)_bytes"}', rate: false },
  { name: "Network", selector: 'node_network_receive_bytes_total{device="eth0"}', rate: true },
  { name: "Disk", selector: '{__name__=~"node_disk_(read|written)_bytes_total",device="vda"}', rate: true },
  { name: "Interrupts", selector: 'node_interrupts_total{type=~"CAL|LOC|RES"}', rate: true },
];

export const RANGES = [
  { name: "1 min", spoken: "1 min: the last minute", ms: 60e3 },
  { name: "15 min", spoken: "15 min: the last quarter of an hour", ms: 15 * 60e3 },
  { name: "1 d", spoken: "1 d: the last day", ms: 24 * 3600e3 },
  { name: "30 d", spoken: "30 d: the last 30 days", ms: 30 * 24 * 3600e3 },
] as const;

/** A rate is taken over so much of the picture, and over no less than a few samples of a live scrape. */
const WINDOW_PIXELS = 4;
const LEAST_WINDOW_MS = 5000;

/** Lines that can be told apart. */
export const MOST_LINES = 8;
const FOLLOW_MS = 1000;
/** While there is nothing to draw, as in the first second of a new database. */
const EMPTY_MS = 250;
/** A question that failed is asked again, as what failed may be over; not so one that cannot be right. */
const RETRY_MS = 2000;
/** The present is asked for again after this many times what the last answer took, so that a large picture costs no more than a small share of the tab. */
const REST_SHARE = 8;

let made = 0;

export class ChartFeed {
  /** Tells the charts of one page apart. */
  readonly id = ++made;
  readonly selector = signal(PRESETS[0]?.selector ?? "");
  readonly rate = signal(false);
  readonly rangeMs = signal<number>(RANGES[1].ms);
  /** A piece of the past that was chosen by hand, in milliseconds; undefined while the chart follows the present. */
  readonly fixed = signal<{ start: number; end: number } | undefined>(undefined);
  readonly drawn = signal<Drawn | undefined>(undefined);
  readonly problem = signal("");
  /** Why nothing could be taken along. It stays until something else is tried or shown. */
  readonly notTaken = signal("");
  /** Pixels the chart is wide. */
  pixels = 800;

  #database: Database | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  constructor() {
    effect(() => {
      // Any other question makes the answer on its way worthless.
      this.selector.value;
      this.rate.value;
      this.rangeMs.value;
      this.fixed.value;
      this.notTaken.value = "";
      this.#again(0);
    });
  }

  use(database: Database | undefined): void {
    this.#database = database;
    this.#again(0);
  }

  /** Every sample of what is shown, none left out, for taking it along. */
  async samples(): Promise<SeriesData[]> {
    const end = this.fixed.peek()?.end ?? Date.now();
    const start = this.fixed.peek()?.start ?? end - this.rangeMs.peek();
    return (await this.#database?.select(this.selector.peek(), { start, end })) ?? [];
  }

  choose(preset: Preset): void {
    this.selector.value = preset.selector;
    this.rate.value = preset.rate;
  }

  #again(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), ms);
  }

  async #ask(): Promise<void> {
    const database = this.#database;
    if (!database) return;
    if (document.visibilityState === "hidden") {
      this.#again(FOLLOW_MS);
      return;
    }
    const asked = ++this.#asked;
    const begun = performance.now();
    const selector = this.selector.peek();
    const rate = this.rate.peek();
    const fixed = this.fixed.peek();
    const end = fixed?.end ?? Date.now();
    const start = fixed?.start ?? end - this.rangeMs.peek();
    try {
      const drawn = await read(database, selector, rate, start, end, this.pixels);
      if (asked !== this.#asked) return;
      const tookMs = performance.now() - begun;
      this.drawn.value = { ...drawn, tookMs };
      this.problem.value = "";
      if (drawn.matched === 0 && !fixed) this.#again(EMPTY_MS);
      else if (!fixed) this.#again(Math.max(FOLLOW_MS - (Date.now() % FOLLOW_MS) + 150, tookMs * REST_SHARE));
    } catch (error) {
      if (asked !== this.#asked) return;
      this.problem.value = messageOf(error);
      if ((error as { code?: unknown }).code !== "invalid") this.#again(RETRY_MS);
      // The lines of another selector would be taken for those of this one.
      else this.drawn.value = { ...NO_LINES, start: start / 1000, end: end / 1000 };
    }
  }
}

const NO_LINES: Drawn = {
  key: "",
  names: [],
  unit: unitOf("", false),
  rate: false,
  windowMs: 0,
  table: align([]),
  matched: 0,
  samples: 0,
  tookMs: 0,
  start: 0,
  end: 0,
};

const NATURAL = new Intl.Collator("en", { numeric: true });

async function read(
  database: Database,
  selector: string,
  rate: boolean,
  start: number,
  end: number,
  pixels: number,
): Promise<Omit<Drawn, "tookMs">> {
  const windowMs = Math.max(LEAST_WINDOW_MS, ((end - start) / pixels) * WINDOW_PIXELS);
  // The first point of a rate needs the window before it.
  const range = { start: rate ? start - windowMs * 1.5 : start, end };
  const sets = await database.labels(selector, range);
  const found =
    sets.length <= MOST_LINES
      ? await database.select(selector, range)
      : (await Promise.all(sets.slice(0, MOST_LINES).map((labels) => database.select(exactly(labels), range)))).flat();
  // load1, load5, load15: as a person counts.
  found.sort((a, b) => NATURAL.compare(exactly(a.labels), exactly(b.labels)));
  const columns = found.map(({ timestamps, values }): Column => {
    const column = { timestamps, values, breaks: gaps(timestamps) };
    return decimate(rate ? perSecond(column, windowMs) : column, start, end, pixels);
  });
  const labels = found.map((series) => series.labels);
  return {
    key: labels.map(exactly).join() + rate,
    names: distinguish(labels),
    unit: unitOf(labels[0]?.__name__ ?? "", rate),
    rate,
    windowMs,
    table: align(columns),
    matched: sets.length,
    samples: found.reduce((sum, series) => sum + series.timestamps.length, 0),
    start: start / 1000,
    end: end / 1000,
  };
}
