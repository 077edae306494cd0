// A sample of a database and where one looks at it, as it stands behind the # of the address: the same address shows the same part and
// block, and when the sample lies elsewhere by now, that is said.

import { type Source, viewOf } from "../explore/address";
import { written } from "../explore/times";

export interface SamplePlace extends Source {
  labels: Readonly<Record<string, string>>;
  /** Milliseconds. */
  time: number;
  /** The directory of the part that is shown; empty while it is not known where the sample lies. */
  part: string;
  /** The block that is shown; undefined for all of the part's. */
  block: number | undefined;
}

const PATH = "#inside/sample";

export const isOfSample = (hash: string): boolean => hash === PATH || hash.startsWith(`${PATH}?`);

/** Undefined when it names no sample: an address is written by anybody. */
export function sampleOf(hash: string): SamplePlace | undefined {
  const read = new URLSearchParams(hash.split(/\?(.*)/s)[1] ?? "");
  const labels = labelsIn(read.get("series") ?? "");
  const at = read.get("at") ?? "";
  const time = Date.parse(at);
  if (!labels || Number.isNaN(time)) return undefined;
  const { of, name } = viewOf(hash);
  const block = read.get("block") ?? "";
  return { of, name, labels, time, part: read.get("part") ?? "", block: /^\d{1,15}$/.test(block) ? Number(block) : undefined };
}

function labelsIn(text: string): Record<string, string> | undefined {
  try {
    const labels: unknown = JSON.parse(text);
    if (typeof labels !== "object" || labels === null || Array.isArray(labels)) return undefined;
    const pairs = Object.entries(labels);
    return pairs.length > 0 && pairs.every(([, value]) => typeof value === "string") ? Object.fromEntries(pairs) : undefined;
  } catch {
    return undefined;
  }
}

export function hashOfSample({ of, name, labels, time, part, block }: SamplePlace): string {
  const parts: [string, string][] = [];
  if (of !== "own") parts.push(["of", of]);
  if (of === "kept") parts.push(["name", name]);
  parts.push(["series", JSON.stringify(labels)], ["at", written(time)]);
  if (part !== "") parts.push(["part", part]);
  if (block !== undefined) parts.push(["block", String(block)]);
  return `${PATH}?${new URLSearchParams(parts)}`;
}

/** To the part and block of a sample, wherever they are. */
export const linkToSample = ({ of, name }: Source, labels: SamplePlace["labels"], time: number): string =>
  hashOfSample({ of, name, labels, time, part: "", block: undefined });
