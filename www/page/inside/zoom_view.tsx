// Into a part, and into a block of it: down to the bytes.

import { useState } from "preact/hooks";
import type { BlockDetails, BlockHeader, ColumnDetails, PartDetails } from "sandglass/inline";
import { seriesVariable } from "../drawing/palette";
import { bytes, grouped, month as monthName, plural, significant } from "../model/format";
import { CLASS_WORD } from "../model/words";
import { Bits } from "./bits";
import { deltasOf, FIELD_WORD, fieldValue, TYPE_WORD, typeWord, varintEnds, whyType, whyZstd } from "./explain";
import type { PartZoom } from "./part_zoom";
import type { Player } from "./player";
import style from "./zoom_view.module.css";

/** A sample that is marked where it lies. */
export interface Marked {
  part: string;
  block: number;
  row: number;
}

export function ZoomPath({ player }: { player: Player }) {
  const [month, part, block] = player.look.zoom.value;
  player.beat.value;
  if (month === undefined) return null;
  const name = monthName(month);
  const found = part === undefined ? undefined : player.house.parts().find(({ id }) => String(id) === part);
  const labels = player.look.block.value?.header.labels;
  const steps: [string, readonly string[]][] = [
    ["Database", []],
    [`${name.month} ${name.year}`, [month]],
  ];
  if (part !== undefined) steps.push([`${found ? CLASS_WORD[found.class] : "part"} ${part}`, [month, part]]);
  if (part !== undefined && block !== undefined) steps.push([labels ? seriesName(labels) : `block ${block}`, [month, part, block]]);
  return <Path steps={steps} look={player.look} />;
}

/** The way to what is shown, each step of it a place to go back to. */
export function Path({ steps, look }: { steps: readonly (readonly [text: string, path: readonly string[]])[]; look: PartZoom }) {
  return (
    <nav class={style.path} aria-label="Where the picture looks into">
      {steps.map(([text, path], i) => (
        <span key={text}>
          {i > 0 && <span aria-hidden="true"> › </span>}
          {i < steps.length - 1 ? (
            <button type="button" class="link" onClick={() => void look.zoomTo(path)}>
              {text}
            </button>
          ) : (
            <strong aria-current="location">{text}</strong>
          )}
        </span>
      ))}
    </nav>
  );
}

export function ZoomView({ look, marked }: { look: PartZoom; marked?: Marked }) {
  const [, partId, blockId] = look.zoom.value;
  const part = look.part.value;
  const block = look.block.value;
  if (partId === undefined) return null;
  const { x, y } = look.zoomFrom;
  const here = marked?.part === partId ? marked : undefined;
  return (
    <div class={style.zoom} data-zoom="" key={`${partId}.${blockId ?? ""}`} style={{ transformOrigin: `${x * 100}% ${y * 100}%` }}>
      {blockId === undefined
        ? part && <PartView look={look} part={part} id={Number(partId)} marked={here?.block} />
        : block && <BlockView block={block} look={look} row={here?.block === block.block ? here.row : undefined} />}
    </div>
  );
}

export function seriesName(labels: Record<string, string>): string {
  const { __name__ = "", job: _, ...rest } = labels;
  const others = Object.entries(rest).map(([name, value]) => `${name}="${value}"`);
  return others.length > 0 ? `${__name__}{${others.join(",")}}` : __name__;
}

const swatch = (series: number) => ({ background: seriesVariable(series) });

// ---- a part -----------------------------------------------------------------------------------------------------------

const FILES = ["timestamps.bin", "values.bin", "index.bin", "metaindex.bin"] as const;
const FILE_SAYS = [
  "encoded timestamps, shared by neighbours that have the same",
  "encoded mantissas",
  "block headers, ZSTD",
  "one row for each index block",
] as const;

function PartView({ look, part, id, marked }: { look: PartZoom; part: PartDetails; id: number; marked: number | undefined }) {
  const size = part.fileBytes.reduce((sum, length) => sum + length, 0);
  const rows = part.headers.reduce((sum, header) => sum + header.rows, 0);
  const few = part.headers.length <= 30;
  const open = (block: number, event: Event) => {
    const around = (event.currentTarget as HTMLElement).closest("[data-zoom]")?.getBoundingClientRect();
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    if (around)
      look.zoomFrom = { x: (box.x + box.width / 2 - around.x) / around.width, y: (box.y + box.height / 2 - around.y) / around.height };
    void look.zoomTo([...look.zoom.value.slice(0, 2), String(block)]);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const cells = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("button")];
    cells[(cells.indexOf(document.activeElement as HTMLElement) + step + cells.length) % cells.length]?.focus();
  };
  return (
    <div class={style.partView}>
      <h2 class="hidden">Blocks of part {id}</h2>
      <p class={style.lead}>
        {plural(part.blocks, "block")} in {plural(part.indexBlocks, "index block")}: {grouped(rows)} rows in {bytes(size)},{" "}
        {significant(size / Math.max(1, rows))} bytes a sample. A block holds up to 8,192 samples of one series; blocks are sorted by TSID,
        then by time.
      </p>
      <div class={style.files} role="img" aria-label={part.fileBytes.map((length, i) => `${FILES[i]} ${bytes(length)}`).join(", ")}>
        {part.fileBytes.map((length, i) => (
          <div
            key={FILES[i]}
            style={{ flexGrow: Math.max(length, size * 0.02) }}
            class={style.file}
            data-file={i}
            title={`${FILES[i]}: ${FILE_SAYS[i]}`}
          />
        ))}
      </div>
      <ul class={style.fileNames}>
        {part.fileBytes.map((length, i) => (
          <li key={FILES[i]}>
            <span class={style.dot} data-file={i} aria-hidden="true" />
            <code>{FILES[i]}</code> {bytes(length)} <span class="note">{FILE_SAYS[i]}</span>
          </li>
        ))}
      </ul>
      <div
        class={few ? `${style.blocks} ${style.few}` : style.blocks}
        role="group"
        aria-label={`Blocks of part ${id}`}
        onKeyDown={onKeyDown}
      >
        {part.headers.map((header, at) => (
          <button
            key={at}
            type="button"
            tabIndex={at === (marked ?? 0) ? 0 : -1}
            aria-current={at === marked ? "location" : undefined}
            aria-label={
              few ? undefined : `Block ${at}: ${header.labels ? seriesName(header.labels) : header.tsid}, ${plural(header.rows, "row")}`
            }
            title={few ? "" : `${header.labels ? seriesName(header.labels) : header.tsid}: ${plural(header.rows, "row")}`}
            onClick={(event) => open(at, event)}
          >
            <span class={style.chipColour} style={swatch(look.seriesNumber(header.labels))} />
            {few && <BlockFacts header={header} />}
          </button>
        ))}
      </div>
    </div>
  );
}

function BlockFacts({ header }: { header: BlockHeader }) {
  const stored = header.timestampsBytes + header.valuesBytes;
  return (
    <span class={style.blockFacts}>
      <strong>{header.labels ? seriesName(header.labels) : header.tsid}</strong>
      <span>
        {plural(header.rows, "row")} · {bytes(stored)} · {significant(stored / header.rows)} B a sample
      </span>
      <span class="note">
        times {typeWord(header.timestampsType)} · values {typeWord(header.valuesType)}
      </span>
    </span>
  );
}

// ---- a block ----------------------------------------------------------------------------------------------------------

/** `row` is marked. */
export function BlockView(props: { block: BlockDetails; look: Pick<PartZoom, "seriesNumber">; row?: number | undefined }) {
  const { block, look, row } = props;
  const { header } = block;
  const stored = block.timestamps.sizes.stored + block.mantissas.sizes.stored;
  const raw = header.rows * 16;
  return (
    <div class={style.blockView}>
      <h2 class="hidden">A block{header.labels && ` of ${seriesName(header.labels)}`}</h2>
      <div class={style.blockHead}>
        <span class={style.chipColour} style={swatch(look.seriesNumber(header.labels))} />
        <p class={style.lead}>
          <strong>{grouped(header.rows)} samples</strong>, {bytes(raw)} as numbers, are stored in <strong>{bytes(stored)}</strong> and a
          header of 81: {significant(stored / header.rows)} bytes a sample,{" "}
          {stored > 0 ? `${significant(raw / stored)} times less` : "nothing but the header"}.
        </p>
      </div>
      <Spark block={block} row={row} />
      <div class={style.columns}>
        <Column title="Timestamps" column={block.timestamps} rows={header.rows} decimal={undefined} block={block} />
        <Column title="Values" column={block.mantissas} rows={header.rows} decimal={header.scale} block={block} />
      </div>
      <Hex block={block} row={row} />
    </div>
  );
}

const SPARK_POINTS = 300;

function Spark({ block, row }: { block: BlockDetails; row: number | undefined }) {
  const { values } = block;
  const every = Math.max(1, Math.ceil(values.length / SPARK_POINTS));
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const x = (i: number) => ((i / Math.max(1, values.length - 1)) * 600).toFixed(1);
  const points: string[] = [];
  for (let i = 0; i < values.length; i += every) {
    const value = values[i] as number;
    if (Number.isFinite(value)) points.push(`${x(i)},${(44 - ((value - low) / (high - low || 1)) * 40).toFixed(1)}`);
  }
  return (
    <svg class={style.spark} viewBox="0 0 600 48" preserveAspectRatio="none" role="img" aria-label={`Values from ${low} to ${high}`}>
      {row !== undefined && <line x1={x(row)} x2={x(row)} y1="0" y2="48" />}
      <polyline points={points.join(" ")} />
    </svg>
  );
}

function Column(props: { title: string; column: ColumnDetails; rows: number; decimal: number | undefined; block: BlockDetails }) {
  const { title, column, rows, decimal, block } = props;
  const { sizes } = column;
  const numbers = 8 * rows;
  const first = 7;
  const deltas = deltasOf(column, first);
  const isSecond = column.marshalType.endsWith("Delta2");
  const list = (items: Iterable<unknown>, more: boolean) => `${[...items].join("  ")}${more ? "  …" : ""}`;
  const stages: { name: string; size: number; sample: string; says: string }[] = [];
  if (decimal === undefined) {
    stages.push({
      name: "milliseconds",
      size: numbers,
      sample: list(column.integers.slice(0, 4), rows > 4),
      says: "64-bit integers since the epoch",
    });
  } else {
    stages.push({ name: "values", size: numbers, sample: list(block.values.slice(0, first), rows > first), says: "64-bit floats" });
    stages.push({
      name: "mantissas",
      size: numbers,
      sample: list(column.integers.slice(0, first), rows > first),
      says: decimal === 0 ? "integers already: the scale is 10⁰" : `integers, of which each times 10^${decimal} is the value`,
    });
  }
  stages.push({
    name: isSecond ? "second differences" : "differences",
    size: numbers,
    sample: deltas.length > 0 ? list(deltas, rows - 1 > deltas.length && column.marshalType !== "deltaConst") : "none",
    says: whyType(column),
  });
  stages.push({
    name: "varints",
    size: sizes.varints,
    sample: hexOf(column.varints.subarray(0, 14), column.varints.length > 14),
    says: "zig-zag, seven bits a byte: small numbers of either sign take one",
  });
  stages.push({
    name: column.zstd === "kept" ? "ZSTD" : "stored plain",
    size: sizes.stored,
    sample: hexOf(column.bytes.subarray(0, 14), column.bytes.length > 14),
    says: whyZstd(column),
  });
  return (
    <section class={style.column} aria-label={`${title}: stages of the encoding`}>
      <h3>
        {title} <code>{TYPE_WORD[column.marshalType]}</code>
      </h3>
      <ol>
        {stages.map((stage, i) => (
          <li key={stage.name}>
            <div class={style.stageHead}>
              <strong>{stage.name}</strong>
              <span>{i < stages.length - 2 ? (i === 0 ? bytes(stage.size) : "") : bytes(stage.size)}</span>
            </div>
            <div class={style.bar} aria-hidden="true">
              <span
                style={{ width: `${Math.max(stage.size > 0 ? 0.6 : 0, (100 * stage.size) / numbers)}%` }}
                class={i < stages.length - 2 ? style.thought : ""}
              />
            </div>
            <code class={style.sample}>{stage.sample}</code>
            <p class="note">{stage.says}</p>
          </li>
        ))}
      </ol>
    </section>
  );
}

const hexOf = (data: Uint8Array, more = false): string =>
  data.length === 0 ? "no byte" : `${[...data].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}${more ? " …" : ""}`;

const SHOWN_BYTES = 256;

function Hex({ block, row }: { block: BlockDetails; row: number | undefined }) {
  const [field, setField] = useState(block.headerFields[4]);
  return (
    <section class={style.hex} aria-label="The bytes">
      <h3>
        Header <span class="note">81 bytes, behind ZSTD in index.bin</span>
      </h3>
      <div class={style.dump}>
        {block.headerFields.map((other, i) => (
          <button
            key={other.name}
            type="button"
            class={other === field ? `${style.run} ${style.chosen}` : style.run}
            data-run={i % 4}
            aria-label={`${hexOf(block.headerBytes.subarray(other.offset, other.offset + other.length))}: ${FIELD_WORD[other.name]}, ${fieldValue(block, other)}`}
            onPointerEnter={() => setField(other)}
            onFocus={() => setField(other)}
            onClick={() => setField(other)}
          >
            {hexOf(block.headerBytes.subarray(other.offset, other.offset + other.length))}
          </button>
        ))}
      </div>
      {field && (
        <p class={style.field}>
          <span class="note">
            byte {field.offset}
            {field.length > 1 && `–${field.offset + field.length - 1}`}
          </span>{" "}
          {FIELD_WORD[field.name]} = <strong>{fieldValue(block, field)}</strong>
        </p>
      )}
      <Bytes column={block.timestamps} row={row} />
      <Bits key={`times ${row}`} column={block.timestamps} row={row} />
      <Bytes column={block.mantissas} row={row} />
      <Bits key={`values ${row}`} column={block.mantissas} row={row} />
    </section>
  );
}

function Bytes({ column, row }: { column: ColumnDetails; row: number | undefined }) {
  const [all, setAll] = useState(false);
  const { bytes: data } = column;
  const shown = all ? data : data.subarray(0, SHOWN_BYTES);
  const plain = column.zstd !== "kept";
  const runs: Uint8Array[] = [];
  if (plain) {
    let from = 0;
    for (const end of varintEnds(shown)) {
      runs.push(shown.subarray(from, end));
      from = end;
    }
    if (from < shown.length) runs.push(shown.subarray(from));
  } else if (shown.length > 0) {
    runs.push(shown.subarray(0, 4), shown.subarray(4));
  }
  return (
    <>
      <h3>
        <code>{column.file}</code>{" "}
        <span class="note">
          {data.length === 0
            ? "no byte of this block"
            : `${plural(data.length, "byte")} at ${grouped(column.offset)}: ${plain ? "a shade for each varint" : "a ZSTD frame, which begins with 28 b5 2f fd"}`}
        </span>
      </h3>
      {data.length > 0 && (
        <div class={style.dump} data-dump="">
          {runs.map((run, i) => (
            <span key={i} class={plain && row !== undefined && i === row - 1 ? `${style.run} ${style.chosen}` : style.run} data-run={i % 2}>
              {hexOf(run)}
            </span>
          ))}
          {data.length > shown.length && (
            <button type="button" class="link" onClick={() => setAll(true)}>
              all {grouped(data.length)}
            </button>
          )}
        </div>
      )}
    </>
  );
}
