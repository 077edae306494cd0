// How a select narrows down what it reads: from all parts to those whose time meets the window, to blocks of one series, to their
// rows, to samples. By parts and headers alone, as the engine does it.

import type { BlockHeader } from "sandglass/inline";

export interface Span {
  from: number;
  to: number;
}

export interface WalkedPart<Part> {
  part: Part;
  /** Its time meets the window. */
  meets: boolean;
  /** Its blocks that have to be decoded, by their place in it. */
  wanted: { at: number; header: BlockHeader }[];
  blocks: number;
}

export interface Walked<Part> {
  parts: WalkedPart<Part>[];
  /** What has to be decoded. */
  rows: number;
  bytes: number;
}

interface Timed {
  minTimestamp: number;
  maxTimestamp: number;
}

const meet = ({ minTimestamp, maxTimestamp }: Timed, { from, to }: Span): boolean => minTimestamp <= to && maxTimestamp >= from;

/** `headersOf` may not know a part's headers yet: then none of its blocks is wanted. Parts come out as time goes. */
export function walked<Part extends Timed>(
  parts: readonly Part[],
  headersOf: (part: Part) => readonly BlockHeader[],
  tsid: string,
  window: Span,
): Walked<Part> {
  const found: Walked<Part> = { parts: [], rows: 0, bytes: 0 };
  for (const part of parts.toSorted((a, b) => a.minTimestamp - b.minTimestamp)) {
    const headers = headersOf(part);
    const meets = meet(part, window);
    const wanted = meets ? headers.flatMap((header, at) => (header.tsid === tsid && meet(header, window) ? [{ at, header }] : [])) : [];
    for (const { header } of wanted) {
      found.rows += header.rows;
      found.bytes += header.valuesBytes + header.timestampsBytes;
    }
    found.parts.push({ part, meets, wanted, blocks: headers.length });
  }
  return found;
}

/** The samples of decoded blocks that lie in the window, by time. */
export function within(
  blocks: readonly { timestamps: ArrayLike<bigint>; values: ArrayLike<number> }[],
  { from, to }: Span,
): { time: number; value: number }[] {
  const found: { time: number; value: number }[] = [];
  for (const { timestamps, values } of blocks) {
    for (let i = 0; i < timestamps.length; i++) {
      const time = Number(timestamps[i]);
      if (time >= from && time <= to) found.push({ time, value: values[i] as number });
    }
  }
  return found.sort((a, b) => a.time - b.time);
}
