// Well-formed expressions at random, always the same ones for a seed, over the series of data.mjs and all functions of a language.
import { random } from "../generate.mjs";

/** Metrics with labels that tell their series apart, and a value of each. */
const METRICS = [
  ["requests_total", { job: ["web", "api"], instance: ["a:80", "b:80", "c:81"], method: ["GET", "POST"], code: ["200", "404", "500"] }],
  ["cpu_seconds_total", { instance: ["a:80", "b:80"], cpu: ["0", "1"], mode: ["idle", "user", "system"] }],
  ["up", { job: ["web", "api", "node"], instance: ["a:80", "b:80", "c:81"] }],
  ["temperature", { room: ["attic", "cellar", "hall", "roof"], floor: ["0", "1", "2"] }],
  ["disk_free_bytes", { device: ["sda", "sdb"], instance: ["a:80"] }],
  ["disk_size_bytes", { device: ["sda", "sdb"], instance: ["a:80"] }],
  ["build_info", { instance: ["a:80", "b:80"], version: ["1.2.3", "1.10.0"] }],
  ["irregular", { n: ["1", "2"] }],
  ["part", { n: ["0", "1", "2"], size: ["10", "9"] }],
  ["hourly_total", { site: ["north", "south"] }],
];

const DURATIONS = ["15s", "1m", "90s", "5m", "5m", "10m", "1h", "3h30m"];

/**
 * Left to the lists: functions whose answers depend on chance, the clock, or an order that servers leave open, such as that of equal
 * values, and those that servers are known to answer in another way (docs/QUERIES.md).
 */
const LISTED = new Set([
  ..."rand rand_normal rand_exponential now any limitk limit_ratio limit_offset info topk bottomk outliersk".split(" "),
  ...["min", "max", "avg", "median", "last"].flatMap((measure) => [`topk_${measure}`, `bottomk_${measure}`]),
  ..."absent_over_time ru histogram_fraction bitmap_and bitmap_or bitmap_xor".split(" "),
]);

/**
 * Functions that tell equal values from others, where what is computed has noise in its last digits; and the one that gives rows names
 * of its own, which others have given them before.
 */
const OF_SAMPLES =
  /^(changes|changes_prometheus|increases_over_time|decreases_over_time|distinct_over_time|mode_over_time|resets|aggr_over_time|rollup.*|.*_(eq|ne)_over_time)$/;

/**
 * What Prometheus 2 answers in another way wherever it stands (docs/QUERIES.md): a fixed instant below what varies with the time, and the
 * deviation of NaN.
 */
const OF_PROMETHEUS_3 = /\b(timestamp|predict_linear)\(.*@|\bstd(dev|var)\b.*\b(a?sinh?|a?cosh?|atanh|ln|log2|log10|sqrt)\(/;

/** Those of PromQL that extrapolate: how far counters are that begin in the window differs between Prometheus 2 and 3. */
const EXTRAPOLATED = new Set(["rate", "increase"]);

/**
 * Functions that make labels. VictoriaMetrics 1.79.5 looks for the labels of one side of an operator among the stored ones of the other
 * side, where these are not.
 */
const MAKES_LABELS = /rollup|aggr_over_time|quantiles|count_values|histogram|bucket|label_/;

/**
 * @param {"metricsql" | "promql"} dialect
 * @param {import("./functions.mjs").Signature[]} functions those the server knows
 * @param {number} seed
 * @param {number} count
 * @returns {string[]}
 */
export function generate(dialect, functions, seed, count) {
  const next = random(seed);
  const isMetricsQl = dialect === "metricsql";
  const chance = (share) => next() < share;
  const usable = functions.filter(({ name }) => !LISTED.has(name));
  const takesSamples = usable.filter((one) => one.arguments.some(({ name }) => name === "samples"));
  const givesNumber = new Set(["scalar", "time", "pi", "start", "end", "step", "timezone_offset"]);
  const givesRows = usable.filter(({ name }) => !givesNumber.has(name));
  let labels = ["job"];

  /** A metric with conditions; sets the labels that the rest of the expression speaks of. */
  const selector = () => {
    const [metric, known] = next.pick(METRICS);
    labels = Object.keys(known);
    const conditions = [];
    for (let n = next.integer(3); n > 0; n--) {
      const label = next.pick(labels);
      const value = next.pick(known[label]);
      conditions.push(
        next.pick([
          `${label}="${value}"`,
          `${label}!="${value}"`,
          `${label}=~"${value}|x.+"`,
          `${label}!~"${value}|x.+"`,
          `${label}=~".+"`,
        ]),
      );
    }
    return conditions.length === 0 ? metric : `${metric}{${conditions.join(",")}}`;
  };
  const moved = (inside) => {
    const kind = next.integer(16);
    if (kind === 0) return `${inside} offset ${next.pick(DURATIONS)}`;
    if (kind === 1) return `${inside} offset -${next.pick(DURATIONS)}`;
    if (kind === 2) return `${inside} @ end()`;
    if (kind === 3) return `${inside} @ start() offset ${next.pick(DURATIONS)}`;
    return inside;
  };
  const samples = (depth, hasWindow) => {
    if (depth > 1 && chance(0.25)) {
      // No multiple of a step, so that no inner instant lies where windows begin.
      return moved(`${inBrackets(rows(depth - 1))}[${next.pick(["5m7s", "10m7s", "30m7s"])}:${next.pick(["", "30s", "1m", "5m"])}]`);
    }
    if (!hasWindow && isMetricsQl && chance(0.15)) return selector();
    if (!hasWindow && isMetricsQl && depth > 1 && chance(0.1)) return rows(depth - 1);
    return moved(`${selector()}[${next.pick(DURATIONS)}]`);
  };
  const inBrackets = (text) => (/^[a-z_]+(\{[^{}]*\})?$/.test(text) ? text : `(${text})`);
  const number = (depth) => {
    if (depth > 1 && chance(0.2)) return `scalar(${rows(depth - 1)})`;
    if (depth > 1 && chance(0.1)) return `(${number(depth - 1)} ${next.pick(["+", "-", "*", "/"])} ${number(depth - 1)})`;
    return next.pick(["0", "1", "2", "2.5", "0.25", "1e3", "-1", "time()", "10"]);
  };
  const text = (value) => JSON.stringify(value);
  const argument = (name, depth, isAlone) => {
    switch (name) {
      case "samples":
        // Below an aggregation VictoriaMetrics loses what stands beside samples without a window.
        return samples(depth, !isAlone);
      case "whole rows":
        return `round(${rows(depth)})`;
      case "rows":
      case "free":
      case "most":
        return rows(depth);
      case "times":
        return next.pick(["vector(time())", "vector(time() - 1e6)", "vector(1709251199)", "timestamp(up)"]);
      case "buckets":
        return next.pick([
          "latency_seconds_bucket",
          "rate(latency_seconds_bucket[5m])",
          "sum by (le) (increase(latency_seconds_bucket[10m]))",
          ...(isMetricsQl ? ["payload_bytes_bucket", "rate(payload_bytes_bucket[5m])"] : []),
        ]);
      case "phi":
        return next.pick(["0", "0.1", "0.5", "0.9", "1", "-0.5", "1.5"]);
      case "k":
        return next.pick(["1", "2", "3", "0"]);
      case "level factor":
      case "trend factor":
        return next.pick(["0.1", "0.5", "0.9"]);
      case "number":
        return next.pick(["0", "0.25", "0.5", "1", "2"]);
      case "seconds":
        return next.pick(["60", "3600", "-60"]);
      case "least":
        return next.pick(["0", "-1", "3"]);
      case "greatest":
        return next.pick(["1", "5", "1e6"]);
      case "nearest":
        return next.pick(["1", "0.1", "5", "10"]);
      case "ratio":
      case "tolerance":
        return next.pick(["0.5", "1", "2"]);
      case "mask":
        return next.pick(["1", "6", "255"]);
      case "group":
        return "0";
      case "target":
        return text("added");
      case "label":
        return text(next.pick([next.pick(labels), "added"]));
      case "source":
        return text(next.pick(labels));
      case "value":
        return text(next.pick([next.pick(labels), "new"]));
      case "from":
        return text(next.pick(["web", "a:80", "GET", "0"]));
      case "to":
        return text(next.pick(["new", "old"]));
      case "label of the rest":
        return text(`${next.pick(labels)}=rest`);
      case "bounds label":
        return text("bounds");
      case "separator":
        return text(next.pick(["", "-", ", "]));
      case "regular expression":
        return text(next.pick(["(.*)", "(.).*", "[a-c].*", "web|api", "no"]));
      case "replacement":
        return text(next.pick(["$1", "x-$1", "${1}y", "z"]));
      case "functions":
        return next.pick(['"min_over_time"', '("max_over_time", "rate")', '("count_over_time", "last_over_time", "changes")']);
      case "which":
        return text(next.pick(["min", "max", "avg"]));
      case "name":
        return text("renamed");
      case "time zone":
        return text(next.pick(["UTC", "Europe/Berlin", "Asia/Tokyo"]));
      case "bound":
      case "lower":
        return next.pick(["0.2", "1", "120"]);
      case "upper":
        return next.pick(["2", "5", "700"]);
      default:
        return number(depth);
    }
  };
  const call = (signature, depth) => {
    if (!isMetricsQl && EXTRAPOLATED.has(signature.name)) {
      return `${signature.name}(${next.pick(["requests_total", "cpu_seconds_total"])}[${next.pick(["1m", "5m", "10m"])}])`;
    }
    const given = signature.arguments.flatMap(({ name, count }) => {
      // Pairs are given once; older servers know no choice among the rows of a rollup.
      if (name === "value" || name === "to") return [name];
      if (name === "which") return [];
      const times = { "": 1, "?": next.integer(2), "*": 1 + next.integer(2), "+": 1 + next.integer(2) }[count];
      // Rows come first, so that labels are those of what they are taken from.
      return Array.from({ length: times }, () => name);
    });
    // What values are printed as is another matter than how near they are.
    if (/quantiles/.test(signature.name)) given[given.indexOf("label")] = "target";
    if (signature.name === "count_values") given[given.indexOf("rows")] = "whole rows";
    const inner = OF_SAMPLES.test(signature.name) ? 1 : Math.max(1, depth - 1);
    const made = [];
    for (const position of given.map((_, at) => at).sort((a, b) => rank(given[a]) - rank(given[b]))) {
      // Twice the same quantile would be two series of the same labels.
      do made[position] = argument(given[position], inner, given.length === 1);
      while (given[position] === "phi" && made.filter((one) => one === made[position]).length > 1);
    }
    const list = made.join(", ");
    if (!signature.isAggregate) return `${signature.name}(${list})${isMetricsQl && chance(0.08) ? " keep_metric_names" : ""}`;
    const grouping = `${next.pick(["by", "without"])} (${next.pick([next.pick(labels), labels.slice(0, 2).join(", "), next.pick(labels)])})`;
    return next.pick([`${signature.name}(${list})`, `${signature.name} ${grouping} (${list})`, `${signature.name}(${list}) ${grouping}`]);
  };
  const rank = (name) => (["samples", "rows", "whole rows", "buckets", "free", "most", "times"].includes(name) ? 0 : 1);
  const operand = (depth) => {
    for (;;) {
      const made = rows(depth);
      if (!MAKES_LABELS.test(made)) return inBrackets(made);
    }
  };
  const binary = (depth) => {
    const left = operand(depth);
    const plain = [
      "+",
      "-",
      "*",
      "/",
      "%",
      "^",
      ...(isMetricsQl ? ["atan2"] : []),
      "==",
      "!=",
      "<",
      "<=",
      ">",
      ">=",
      "> bool",
      "== bool",
      "<= bool",
    ];
    switch (next.integer(isMetricsQl ? 6 : 5)) {
      case 0:
        return `${left} ${next.pick(plain)} ${number(1)}`;
      case 1:
        return `${number(1)} ${next.pick(plain)} ${left}`;
      case 2: {
        const own = labels;
        const right = operand(depth);
        const shared = own.find((label) => labels.includes(label)) ?? own[0];
        // Whose value fills a gap where several series of one side match is left open.
        if (chance(0.3)) return `${left} or ${right}`;
        return `${left} ${next.pick(["and", "unless"])} ${next.pick(["", `on (${shared})`, `ignoring (${next.pick(own)})`])} ${right}`;
      }
      case 3:
        return `${left} ${next.pick(plain)} ${left}`;
      case 4: {
        const label = next.pick(labels);
        return `${left} ${next.pick(plain)} on (${label}) group_left () ${next.pick(["sum", "max", "count", "avg"])} by (${label}) (${left})`;
      }
      default:
        return `${left} ${next.pick(["default", "if", "ifnot"])} ${next.pick([number(1), left, `(${left} > ${number(1)})`])}`;
    }
  };
  const rows = (depth) => {
    if (depth <= 1) return moved(selector());
    const kind = next.integer(8);
    if (kind === 0) return `(${binary(depth - 1)})`;
    if (kind === 1) return `-${inBrackets(rows(depth - 1))}`;
    return call(next.pick(kind < 4 ? takesSamples : givesRows), depth);
  };
  const made = [];
  while (made.length < count) {
    const depth = 2 + next.integer(3);
    const expression = chance(0.2) ? binary(depth - 1) : rows(depth);
    if (isMetricsQl || !OF_PROMETHEUS_3.test(expression)) made.push(expression);
  }
  return made;
}
