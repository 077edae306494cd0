// What the differential tests of queries ask about: six hours of scrapes round the end of a month, and four months of slow series.
// Every kind of series is there that a language treats in a way of its own. The same seed gives the same data everywhere.
import { random } from "../generate.mjs";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Where the scrapes begin: two hours before a month ends. */
export const DENSE_START = Date.UTC(2024, 1, 29, 22);
export const DENSE_END = DENSE_START + 6 * HOUR;

/** Where the slow series begin and end. */
export const SPARSE_START = Date.UTC(2023, 11, 15);
export const SPARSE_END = SPARSE_START + 120 * DAY;

/** Bits of the staleness marker. */
const STALE = 0x7ff0000000000002n;

/** Ascending instants, one a step. */
function clock(start, end, step, jitter = 0, next) {
  const times = [];
  for (let time = start; time < end; time += step) times.push(time + (jitter > 0 ? next.integer(jitter) : 0));
  return times;
}

/**
 * @param {object} [options]
 * @param {boolean} [options.offEdges] every sample lies 1 ms behind a full second, where no window begins or ends
 * @param {string} [options.scrape] a page of node_exporter; some scrapes of it are among the data
 * @returns {{ labels: Record<string, string>, timestamps: Float64Array, values: Float64Array }[]}
 */
export function queryData({ offEdges = false, scrape = "", laterScrape } = {}) {
  const next = random(12);
  const all = [];
  const add = (labels, times, values, staleAt = () => false) => {
    const moved = offEdges ? times.map((time) => Math.floor(time / SECOND) * SECOND + 1) : times;
    const kept = moved.map((time, at) => [time, values[at], staleAt(time, at)]).filter(([time], at) => at === 0 || time > moved[at - 1]);
    const column = Float64Array.from(kept, ([, value]) => value);
    const bits = new BigUint64Array(column.buffer);
    for (const [at, [, , isStale]] of kept.entries()) if (isStale) bits[at] = STALE;
    all.push({ labels, timestamps: Float64Array.from(kept, ([time]) => time), values: column });
  };
  const walk = (times, first, step) => {
    let value = first;
    return times.map(() => (value = step(value)));
  };
  const cents = (value) => Math.round(value * 100) / 100;

  const scrapes = clock(DENSE_START, DENSE_END, 15 * SECOND);
  // Counters: some begin anew, one pauses, one is marked stale, one comes late, one ends early.
  for (const [n, [job, instance, method, code]] of [
    ["web", "a:80", "GET", "200"],
    ["web", "a:80", "GET", "500"],
    ["web", "a:80", "POST", "200"],
    ["web", "b:80", "GET", "200"],
    ["web", "b:80", "GET", "404"],
    ["web", "b:80", "POST", "200"],
    ["api", "a:80", "GET", "200"],
    ["api", "c:81", "GET", "200"],
    ["api", "c:81", "GET", "500"],
  ].entries()) {
    const own = scrapes.map((time) => time + n * 137);
    const kept = own.filter((_, at) => {
      if (n === 3) return at < 400 || at >= 480;
      if (n === 5) return at >= 700;
      if (n === 7) return at < 900;
      return true;
    });
    const values = walk(kept, n * 1000, (value) => (next() < 0.004 ? next.integer(5) : value + next.integer(1 + n * 4)));
    const staleAt = n === 4 ? (_, at) => at % 200 >= 190 : n === 8 ? (_, at) => at % 37 === 36 : undefined;
    add({ __name__: "requests_total", job, instance, method, code }, kept, values, staleAt);
  }
  for (const instance of ["a:80", "b:80"]) {
    for (const cpu of ["0", "1"]) {
      for (const mode of ["idle", "user", "system"]) {
        const values = walk(scrapes, 0, (value) => cents(value + next() * (mode === "idle" ? 12 : 3)));
        add({ __name__: "cpu_seconds_total", job: "node", instance, cpu, mode }, scrapes, values);
      }
    }
  }
  for (const [job, instance] of [
    ["web", "a:80"],
    ["web", "b:80"],
    ["api", "c:81"],
    ["node", "a:80"],
  ]) {
    const values = scrapes.map(() => (next() < 0.02 ? 0 : 1));
    add({ __name__: "up", job, instance }, scrapes, values);
  }
  // Gauges with jitter; one is away now and then.
  for (const [n, room] of ["attic", "cellar", "hall", "kitchen", "roof"].entries()) {
    const times = clock(DENSE_START + n * 1700, DENSE_END, 30 * SECOND, 2 * SECOND, next);
    const values = walk(times, 5 * n, (value) => cents(value + next.normal() / 2 - value / 200));
    const staleAt = n === 2 ? (_, at) => at % 90 >= 60 && at % 90 < 63 : undefined;
    const kept = times.filter((_, at) => n !== 4 || at % 120 < 80);
    add({ __name__: "temperature", room, floor: String(n % 3) }, kept, values.slice(0, kept.length), staleAt);
  }
  const minutes = clock(DENSE_START, DENSE_END, MINUTE);
  for (const [device, size] of [
    ["sda", 4e9],
    ["sdb", 1e10],
  ]) {
    const free = walk(minutes, size / 2, (value) => Math.max(4096, Math.round(value - next.integer(1e6))));
    add({ __name__: "disk_free_bytes", device, instance: "a:80" }, minutes, free);
    add({ __name__: "disk_size_bytes", device, instance: "a:80" }, minutes, new Array(minutes.length).fill(size));
  }
  // One of each instance at a time; the version changes.
  const half = DENSE_START + 3 * HOUR;
  for (const [instance, version, from, to] of [
    ["a:80", "1.2.3", DENSE_START, half],
    ["a:80", "1.10.0", half, DENSE_END],
    ["b:80", "1.2.3", DENSE_START, DENSE_END],
    ["c:81", "2.0.0-rc1", DENSE_START, DENSE_END],
  ]) {
    const times = minutes.filter((time) => time >= from && time < to);
    add({ __name__: "build_info", instance, version }, times, new Array(times.length).fill(1));
  }
  // A histogram with cumulative buckets, and one with ranges, some of which begin late.
  for (const route of ["/", "/slow"]) {
    const times = clock(DENSE_START, DENSE_END, 30 * SECOND);
    const bounds = [0.1, 0.5, 1, 5, Number.POSITIVE_INFINITY];
    const counts = bounds.map(() => 0);
    const columns = bounds.map(() => []);
    let sum = 0;
    const sums = [];
    for (const _ of times) {
      if (next() < 0.003) counts.fill(0);
      for (let n = next.integer(6); n > 0; n--) {
        const seconds = -Math.log(1 - next()) * (route === "/" ? 0.3 : 2);
        sum = cents(sum + seconds);
        for (const [at, bound] of bounds.entries()) if (seconds <= bound) counts[at] += 1;
      }
      for (const [at, count] of counts.entries()) columns[at].push(count);
      sums.push(sum);
    }
    for (const [at, bound] of bounds.entries()) {
      const le = Number.isFinite(bound) ? String(bound) : "+Inf";
      add({ __name__: "latency_seconds_bucket", route, le }, times, columns[at]);
    }
    add({ __name__: "latency_seconds_sum", route }, times, sums);
    add({ __name__: "latency_seconds_count", route }, times, columns[4]);
  }
  for (const [n, vmrange] of [
    "0...0",
    "1.000e+02...1.136e+02",
    "1.136e+02...1.292e+02",
    "1.292e+02...1.468e+02",
    "5.995e+02...6.813e+02",
  ].entries()) {
    const times = clock(DENSE_START + (n % 3) * 20 * MINUTE, DENSE_END, 30 * SECOND);
    const values = walk(times, 0, (value) => value + next.integer(3 + n));
    add({ __name__: "payload_bytes_bucket", vmrange, instance: "a:80" }, times, values);
  }
  // Slow ones, over several months.
  const hours = clock(SPARSE_START, SPARSE_END, HOUR);
  for (const site of ["north", "south"]) {
    add(
      { __name__: "hourly", site },
      hours,
      walk(hours, 100, (value) => Math.round(value + next.normal() * 5)),
    );
    add(
      { __name__: "hourly_total", site },
      hours,
      walk(hours, 0, (value) => (next() < 0.01 ? 0 : value + next.integer(50))),
    );
  }
  const days = clock(SPARSE_START + 6 * HOUR, SPARSE_END, DAY);
  add(
    { __name__: "daily", site: "north" },
    days,
    walk(days, 10, (value) => value + next.integer(5) - 2),
  );
  // Whatever comes when it likes.
  for (const n of ["1", "2"]) {
    let time = DENSE_START;
    const times = [];
    while (time < DENSE_END) times.push((time += 1 + next.integer(next() < 0.05 ? 30 * MINUTE : 40 * SECOND)));
    add(
      { __name__: "irregular", n },
      times,
      times.map(() => next.integer(20) - 5),
    );
  }
  add({ __name__: "once" }, [DENSE_START + HOUR], [7]);
  // Values that arithmetic must survive. They change seldom, and never lie in one block with others.
  const many = Number.POSITIVE_INFINITY;
  for (const [kind, values] of Object.entries({
    infinite: [1, many, -many, 2, many],
    huge: [1e300, -1e300, 1e308, 1.5e308, 0],
    tiny: [1e-300, 2e-300, -1e-300, 0, 3e-300],
    zero: [0, -0, 0, 0, -0],
  })) {
    add(
      { __name__: "extreme", kind },
      minutes,
      minutes.map((_, at) => values[Math.floor(at / 7) % values.length]),
    );
  }
  // Labels and values for sorting, and names that must be escaped.
  for (const [n, [size, version]] of [
    ["2Ki", "v1.10"],
    ["10", "v1.9"],
    ["9", "v1.9.1"],
    ["1.5", ""],
    ["x1", "v2"],
  ].entries()) {
    const labels = { __name__: "part", n: String(n), size, ...(version && { version }) };
    add(labels, minutes, new Array(minutes.length).fill([3, 1, 2, 1, 5][n]));
  }
  add(
    { __name__: "wind-speed", "sensor-id": "a.1", place: "küste 🌊" },
    minutes,
    walk(minutes, 3, (value) => Math.abs(cents(value + next.normal()))),
  );
  add(
    { __name__: "wind-speed", "sensor-id": "b\n2", place: 'say "hi"\\' },
    minutes,
    walk(minutes, 8, (value) => Math.abs(cents(value + next.normal()))),
  );
  add(
    { __name__: "servers.alpha.load" },
    minutes,
    minutes.map(() => next.integer(8)),
  );
  add(
    { __name__: "servers.beta.load" },
    minutes,
    minutes.map(() => next.integer(8)),
  );

  if (scrape) {
    for (const instance of ["node-a:9100", "node-b:9100"]) {
      const columns = new Map();
      for (let n = 0; n < 20; n++) {
        const time = DENSE_START + 2 * HOUR + n * 15 * SECOND;
        for (const line of laterScrape(scrape, n).split("\n")) {
          const [, name, inside = "", value] = /^([a-zA-Z_:]\w*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
          if (!name || Number.isNaN(Number(value))) continue;
          const labels = { __name__: name, job: "node", instance };
          for (const [, label, text] of inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[label] = JSON.parse(`"${text}"`);
          const key = JSON.stringify(labels);
          const column = columns.get(key) ?? { labels, times: [], values: [] };
          columns.set(key, column);
          column.times.push(time);
          column.values.push(Number(value));
        }
      }
      for (const { labels, times, values } of columns.values()) add(labels, times, values);
    }
  }
  return all;
}
