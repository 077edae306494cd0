// Two answers of the Prometheus HTTP API are held against each other: series, labels and points.

/** How far two values may lie apart, as a share of the greater one. */
const TOLERANCE = 1e-9;

/** Below this, what is left of a difference of equal numbers is noise: 1e-9 of the least digit that the data have. */
const NOISE = 1e-11;

const numberOf = (text) => (text === "+Inf" ? Number.POSITIVE_INFINITY : text === "-Inf" ? Number.NEGATIVE_INFINITY : Number(text));

function isNear(a, b) {
  if (a === b) return true;
  const [x, y] = [numberOf(a), numberOf(b)];
  if (Object.is(x, y) || x === y) return true;
  const difference = Math.abs(x - y);
  return difference <= TOLERANCE * Math.max(Math.abs(x), Math.abs(y)) || difference <= NOISE;
}

/** A label without a value is none; VictoriaMetrics 1.79.5 shows some all the same. */
const keyOf = (metric) =>
  JSON.stringify(
    Object.entries(metric)
      .filter(([, value]) => value !== "")
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );

/**
 * What differs between two replies, in words; nothing when they are alike. Two refusals are.
 *
 * @param {object} ours the reply's JSON
 * @param {object} theirs the reply's JSON
 * @param {boolean} inOrder whether the order of series counts
 */
export function difference(ours, theirs, inOrder = false) {
  if (ours.status !== theirs.status) return `${described(ours)}\n  instead of ${described(theirs)}`;
  if (ours.status !== "success") return undefined;
  const [{ resultType, result }, expected] = [ours.data, theirs.data];
  if (resultType !== expected.resultType) return `a ${resultType} instead of a ${expected.resultType}`;
  if (resultType === "scalar" || resultType === "string") return pointDifference(result, expected.result);
  const [mine, other] = [result, expected.result].map((list) => new Map(list.map((one) => [keyOf(one.metric), one])));
  if (mine.size !== result.length) return "two series of equal labels";
  for (const key of other.keys())
    if (!mine.has(key)) return `lacks ${key} of ${other.size}; has ${mine.size}, ${[...mine.keys()].find((key) => !other.has(key)) ?? ""}`;
  for (const key of mine.keys()) if (!other.has(key)) return `has ${key} besides ${other.size}`;
  for (const [key, one] of mine) {
    const [points, wanted] = [one, other.get(key)].map(({ value, values }) => values ?? [value]);
    const differs = pointsDifference(points, wanted);
    if (differs !== undefined) return `${key}: ${differs}`;
  }
  if (inOrder) {
    const at = result.findIndex(({ metric }, at) => keyOf(metric) !== keyOf(expected.result[at].metric));
    if (at >= 0) return `at place ${at} stands ${keyOf(result[at].metric)} instead of ${keyOf(expected.result[at].metric)}`;
  }
  return undefined;
}

function pointsDifference(points, wanted) {
  for (let at = 0; at < Math.max(points.length, wanted.length); at++) {
    const differs = pointDifference(points[at], wanted[at]);
    if (differs !== undefined) return `point ${at} of ${points.length} and ${wanted.length}: ${differs}`;
  }
  return undefined;
}

function pointDifference(point, wanted) {
  if (point === undefined || wanted === undefined) return `${JSON.stringify(point)} instead of ${JSON.stringify(wanted)}`;
  if (point[0] === wanted[0] && isNear(point[1], wanted[1])) return undefined;
  return `${point} instead of ${wanted}`;
}

function described({ status, error, data }) {
  if (status !== "success") return `the error ${JSON.stringify(error)?.slice(0, 300)}`;
  return `a ${data.resultType} ${JSON.stringify(data.result).slice(0, 200)}`;
}
