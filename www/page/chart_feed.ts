// Asks the database for what the chart shows, again and again while it follows the present.

import { effect, signal } from "@preact/signals";
import type { Database, Labels, SeriesData } from "sandglass";
import { toAlignedData } from "sandglass/uplot";
import { align, decimate, distinguish, gaps, type Table, type Unit, unitOf } from "./model/chart";
import { exactly } from "./model/selector";
import { messageOf } from "./model/trouble";

export interface Drawn {
  /** Changes when the set of lines does. */
  key: string;
  names: string[];
  labels: Labels[];
  unit: Unit;
  rate: boolean;
  /** Time between two values of a rate. */
  stepMs: number;
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

/** Values of a rate stand so far apart in the picture, and no closer than this in time. */
const STEP_PIXELS = 4;
const LEAST_STEP_MS = 1000;

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
  labels: [],
  unit: unitOf("", false),
  rate: false,
  stepMs: 0,
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
  const stepMs = Math.max(LEAST_STEP_MS, Math.round(((end - start) / pixels) * STEP_PIXELS));
  const sets = await database.labels(selector, { start, end });
  const selectors = sets.length <= MOST_LINES ? [selector] : sets.slice(0, MOST_LINES).map(exactly);
  const { labels, table, samples } = rate
    ? await ratesOf(database, selectors, start, end, stepMs)
    : await valuesOf(database, selectors, start, end, pixels);
  return {
    key: labels.map(exactly).join() + rate,
    names: distinguish(labels),
    labels,
    unit: unitOf(labels[0]?.__name__ ?? "", rate),
    rate,
    stepMs,
    table,
    matched: sets.length,
    samples,
    start: start / 1000,
    end: end / 1000,
  };
}

interface Lines {
  labels: Labels[];
  table: Table;
  samples: number;
}

/** load1, load5, load15: as a person counts. */
const inOrder = <T extends { labels: Labels }>(series: T[]): T[] =>
  series.sort((a, b) => NATURAL.compare(exactly(a.labels), exactly(b.labels)));

async function valuesOf(database: Database, selectors: readonly string[], start: number, end: number, pixels: number): Promise<Lines> {
  const found = inOrder((await Promise.all(selectors.map((one) => database.select(one, { start, end })))).flat());
  const columns = found.map(({ timestamps, values }) => decimate({ timestamps, values, breaks: gaps(timestamps) }, start, end, pixels));
  return {
    labels: found.map((series) => series.labels),
    table: align(columns),
    samples: found.reduce((sum, series) => sum + series.timestamps.length, 0),
  };
}

/** The engine chooses how far each value looks back: over a step, or over a few samples when these are further apart. */
async function ratesOf(database: Database, selectors: readonly string[], start: number, end: number, step: number): Promise<Lines> {
  // Instants are multiples of the step, so that they stay where they are while the range moves.
  const range = { start: Math.ceil(start / step) * step, end, step, dialect: "metricsql" } as const;
  const found = await Promise.all(selectors.map((one) => database.queryRange(`rate(${one}) keep_metric_names`, range)));
  const [first] = found;
  const series = inOrder(found.flatMap((result) => result.series));
  const [times, ...columns] = first ? toAlignedData({ ...first, series }) : [[]];
  // The last instant may be ahead of the newest sample, where nothing has a value yet.
  const known = Math.max(0, ...columns.map((column) => column.findLastIndex((value) => value !== null) + 1));
  return {
    labels: series.map(({ labels }) => labels),
    table: { times: Array.from(times).slice(0, known), columns: columns.map((column) => column.slice(0, known)) as Table["columns"] },
    samples: found.reduce((sum, { stats }) => sum + (stats?.samples ?? 0), 0),
  };
}
