// The machine that is scraped. Its first answer is the real scrape; from there on it is a replay: counters go on at the
// average rate they had since the machine's start, gauges walk around the value they had. One seed, one course.
//
// What all of it shares is `activity`, a slow wave with faster ones on top, 1 on average: when it is high the processors,
// the disk and the network are busy at the same time, as on a real machine.

import type { ScrapedSeries } from "./exposition";
import { type Random, seeded } from "./random";

type Motion =
  | { kind: "constant" }
  | { kind: "clock" }
  /** `rate` a second on average; `steady` counters follow the clock and not the load; `cpu` names the processor whose time it counts. */
  | { kind: "counter"; rate: number; steady: boolean; cpu?: string }
  /** What is left of a processor's second when its other modes have had their share. */
  | { kind: "idle"; cpu: string }
  | { kind: "load"; minutes: number }
  /** Around `home`, `spread` away from it on average, coming back within `seconds`; changes `changes` times a second. */
  | { kind: "walk"; spread: number; seconds: number; changes: number; floor: number; ceiling?: number };

interface Course {
  motion: Motion;
  /** The real value. */
  home: number;
  /** Where it is now, before it is rounded. */
  exact: number;
  /** What its values are multiples of: 4096 for pages, 0.01 for processor time. */
  quantum: number;
}

/** A minute and a quarter of an hour: the times in which the two waves of activity forget where they were. */
const FAST_SECONDS = 60;
const SLOW_SECONDS = 900;
const DAY_SECONDS = 86_400;

const CONSTANT =
  /^up$|_info$|_version$|_enabled$|_success$|_limit$|maximum$|_max_|_total_bytes$|MemTotal|SwapTotal|CommitLimit|VmallocTotal|DirectMap|HugePages|Hugepagesize|_size_bytes$|_filesystem_files$|_filesystem_readonly$|_speed_|_mtu_|_network_(?!receive|transmit)|queue_length|boot_time|start_time|_timex_|_zone_offset|_clocksource|_textfile_|entropy|_ksmd_|_Forwarding$|zoneinfo_(protection|high|low|min|managed|present|spanned)|_sys_bytes$|next_gc|_last_gc|go_info|go_threads|requests_in_flight/;

const COUNTED_ELSEWHERE = /_CurrEstab$|_Forwarding$/;

export class Machine {
  /** The current answer: one value for each series, in the order of the scrape. */
  readonly values: Float64Array;
  readonly #courses: Course[];
  #random: Random;
  #fast = 0;
  #slow = 0;
  /** Processes that want a processor, on average. */
  readonly #running: number;

  constructor(scrape: readonly ScrapedSeries[], seed: number) {
    this.#random = seeded(seed);
    const wholes = new Map(scrape.map((series) => [keyOf(series.labels), series.value]));
    const byName = new Map(scrape.map((series) => [series.labels.__name__, series.value]));
    const now = byName.get("node_time_seconds") ?? 0;
    const upSeconds = Math.max(60, now - (byName.get("node_boot_time_seconds") ?? 0));
    const processSeconds = Math.max(10, now - (byName.get("process_start_time_seconds") ?? 0));
    this.#running = byName.get("node_load5") ?? 1;
    this.#courses = scrape.map((series) => {
      const name = series.labels.__name__ ?? "";
      const age = /^(go|process|promhttp)_/.test(name) ? processSeconds : upSeconds;
      return {
        motion: below(motionOf(series, name, age), series.value, wholes.get(wholeOf(series.labels))),
        home: series.value,
        exact: series.value,
        quantum: /^node_load/.test(name) ? 0.01 : quantumOf(series),
      };
    });
    this.values = Float64Array.from(scrape, (series) => series.value);
  }

  /** Goes on from an earlier answer instead of the real scrape; NaN leaves a series as it is. */
  resume(values: ArrayLike<number>, seed: number): void {
    this.#random = seeded(seed);
    this.#courses.forEach((course, index) => {
      const value = values[index] ?? Number.NaN;
      if (Number.isFinite(value)) {
        course.exact = value;
        this.values[index] = value;
      }
    });
  }

  /** Lets `seconds` pass until the instant `at` (seconds since the epoch, for the time of day). */
  advance(seconds: number, at: number): void {
    const random = this.#random;
    this.#fast = wander(this.#fast, 0.55, seconds / FAST_SECONDS, random);
    this.#slow = wander(this.#slow, 0.45, seconds / SLOW_SECONDS, random);
    // Longer steps see the average over the step, so the waves that are shorter than it level out.
    const fast = this.#fast / Math.sqrt(1 + seconds / FAST_SECONDS);
    const slow = this.#slow / Math.sqrt(1 + seconds / SLOW_SECONDS);
    const timeOfDay = 0.35 * Math.sin((2 * Math.PI * ((at % DAY_SECONDS) - DAY_SECONDS / 3)) / DAY_SECONDS);
    const activity = Math.exp(fast + slow + timeOfDay - 0.25);
    const running = this.#running * activity;
    const busy = new Map<string, number>();

    this.#courses.forEach((course, index) => {
      const { motion } = course;
      switch (motion.kind) {
        case "constant":
        case "idle":
          return;
        case "clock":
          course.exact += seconds;
          break;
        case "counter": {
          const pace = motion.steady ? 1 : activity * Math.max(0.05, 1 + (0.35 * random.normal()) / Math.sqrt(1 + seconds / 10));
          const grown = motion.rate * seconds * pace;
          course.exact += grown;
          if (motion.cpu !== undefined) busy.set(motion.cpu, (busy.get(motion.cpu) ?? 0) + grown);
          break;
        }
        case "load":
          course.exact += (running - course.exact) * (1 - Math.exp(-seconds / (60 * motion.minutes)));
          break;
        case "walk": {
          if (random.uniform() > 1 - Math.exp(-motion.changes * seconds)) return;
          const away = wander(course.exact - course.home, motion.spread, seconds / motion.seconds, random);
          course.exact = Math.min(motion.ceiling ?? Number.POSITIVE_INFINITY, Math.max(motion.floor, course.home + away));
          break;
        }
      }
      this.values[index] = rounded(course);
    });

    // In a second a processor has one second to give: what its busy modes did not take it was idle.
    this.#courses.forEach((course, index) => {
      if (course.motion.kind !== "idle") return;
      course.exact += Math.max(0, seconds - (busy.get(course.motion.cpu) ?? 0));
      this.values[index] = rounded(course);
    });
  }
}

/** One step of a walk that is drawn back to 0 and whose deviation is `spread`; `share` of its memory passes. */
function wander(from: number, spread: number, share: number, random: Random): number {
  const kept = Math.exp(-share);
  return from * kept + spread * Math.sqrt(1 - kept * kept) * random.normal();
}

function motionOf(series: ScrapedSeries, name: string, ageSeconds: number): Motion {
  const { value } = series;
  if (name === "node_time_seconds") return { kind: "clock" };
  if (name === "promhttp_metric_handler_requests_total" && value > 0) return { kind: "counter", rate: 1, steady: true };
  const load = /^node_load(\d+)$/.exec(name);
  if (load) return { kind: "load", minutes: Number(load[1]) };
  if (value === 0 || CONSTANT.test(name)) return { kind: "constant" };
  if (name === "node_cpu_seconds_total" && series.labels.mode === "idle") return { kind: "idle", cpu: series.labels.cpu ?? "" };
  const counts =
    series.type === "counter" ||
    (series.type === "summary" && /_(sum|count)$/.test(name)) ||
    (series.type === "untyped" && /^node_(netstat|vmstat)_/.test(name) && !COUNTED_ELSEWHERE.test(name));
  if (counts) {
    // A counter that has seen a handful of events in all its life has seen them at the start.
    if (value < 50 && Number.isInteger(value) && series.labels.__name__ !== "node_cpu_seconds_total") return { kind: "constant" };
    const cpu = name === "node_cpu_seconds_total" ? series.labels.cpu : undefined;
    return { kind: "counter", rate: value / ageSeconds, steady: false, ...(cpu !== undefined && { cpu }) };
  }
  const size = Math.abs(value);
  if (name.startsWith("node_scrape_collector_duration"))
    return { kind: "walk", spread: size * 0.2, seconds: 1, changes: 20, floor: size * 0.4 };
  if (Number.isInteger(value) && size < 1000) {
    return { kind: "walk", spread: Math.max(0.6, Math.sqrt(size) / 2), seconds: 30, changes: 0.2, floor: 0 };
  }
  if (name.includes("filesystem")) return { kind: "walk", spread: size * 0.004, seconds: 3600, changes: 0.3, floor: 0 };
  if (name.includes("buddyinfo")) return { kind: "walk", spread: size * 0.08, seconds: 120, changes: 0.5, floor: 0 };
  return { kind: "walk", spread: size * 0.05, seconds: 600, changes: 0.5, floor: 0 };
}

/** Gauges that are a part of something, and what they are a part of. */
const PART_OF: readonly (readonly [RegExp, string])[] = [
  [/^node_memory_numa_/, "node_memory_numa_MemTotal"],
  [/^node_memory_.*_bytes$/, "node_memory_MemTotal_bytes"],
  [/^node_filesystem_(avail|free)_bytes$/, "node_filesystem_size_bytes"],
  [/^node_filesystem_files_free$/, "node_filesystem_files"],
];

const keyOf = (labels: Record<string, string>): string => JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

function wholeOf(labels: Record<string, string>): string {
  const whole = PART_OF.find(([pattern]) => pattern.test(labels.__name__ ?? ""))?.[1] ?? "";
  return keyOf({ ...labels, __name__: whole });
}

/** A walk that stays below what its gauge is a part of: it goes no further than the room that is left allows. */
function below(motion: Motion, home: number, whole: number | undefined): Motion {
  if (motion.kind !== "walk" || whole === undefined || home > whole) return motion;
  return { ...motion, spread: Math.min(motion.spread, (whole - home) / 3), ceiling: whole };
}

/** Memory comes in pages, processor time in hundredths: a value's own digits tell what it is a multiple of. */
function quantumOf(series: ScrapedSeries): number {
  const { value, text } = series;
  if (Number.isInteger(value)) {
    for (const size of [4096, 1024, 512]) if (value >= 8 * size && value % size === 0) return size;
    return 1;
  }
  const decimals = /e/i.test(text) ? 6 : (text.split(".")[1]?.length ?? 0);
  return 10 ** -Math.min(decimals, 9);
}

function rounded(course: Course): number {
  const { quantum } = course;
  if (quantum >= 1) return Math.floor(course.exact / quantum) * quantum;
  const inverse = Math.round(1 / quantum);
  return Math.floor(course.exact * inverse) / inverse;
}
