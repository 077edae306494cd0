// A varint of a column down to its bits: which bits say that another byte follows, which make the number, and how zig-zag reads it.

import { useState } from "preact/hooks";
import type { ColumnDetails } from "sandglass/inline";
import { grouped } from "../model/format";
import { varintBits, varintEnds } from "./explain";
import style from "./zoom_view.module.css";

/** `row` is the one whose varint is shown first. */
export function Bits({ column, row }: { column: ColumnDetails; row: number | undefined }) {
  const ends = varintEnds(column.varints);
  const [chosen, setChosen] = useState(Math.max(0, (row ?? 1) - 1));
  if (ends.length === 0) return null;
  const at = Math.min(chosen, ends.length - 1);
  const run = column.varints.subarray(ends[at - 1] ?? 0, ends[at]);
  const { bytes, joined, unsigned, value } = varintBits(run);
  const step = (by: number, name: string, sign: string) => (
    <button type="button" class="quiet" aria-label={name} disabled={ends[at + by] === undefined} onClick={() => setChosen(at + by)}>
      {sign}
    </button>
  );
  return (
    <div class={style.field} role="group" aria-label={`A varint of ${column.file}, down to its bits`}>
      {step(-1, "One varint back", "‹")} {step(1, "One varint on", "›")}{" "}
      <span class="note">
        varint {grouped(at + 1)} of {grouped(ends.length)}:
      </span>{" "}
      {bytes.map(({ more, bits }, i) => (
        <code key={i} title={more ? "1: another byte follows" : "0: the last byte"}>
          <span style={{ color: "var(--muted)" }}>{more ? "1" : "0"}</span>
          {bits}{" "}
        </code>
      ))}
      <span class="note">
        {bytes.length > 1 && "a first bit of 1 says that another byte follows; the rest, the last byte first, is "}
        {bytes.length > 1 && <code>{joined.replace(/^0+(?=.)/, "")}</code>}
        {bytes.length === 1 && "the first bit says that no byte follows; the rest is "}
        {bytes.length > 1 && " = "}
        {String(unsigned)}, {unsigned % 2n === 0n ? "even, so half of it" : "odd, so below zero"}: <strong>{String(value)}</strong>
      </span>
    </div>
  );
}
