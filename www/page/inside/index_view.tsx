// The index as a picture: its parts as bricks, their blocks, the items of a block with their bytes, and how a selector finds a
// series among them.

import { useEffect, useState } from "preact/hooks";
import type { IndexBlockDetails } from "sandglass/inline";
import { bytes, grouped, plural } from "../model/format";
import { itemOf, KINDS, type Walk, walkOf } from "../model/index_items";
import type { Player } from "./player";
import style from "./index_view.module.css";

/** Items of a block that are listed. */
const MOST_LISTED = 60;

export interface IndexPart {
  table: number;
  part: number;
  name: string;
  items: number;
  bytes: number;
  blocks: readonly IndexBlockDetails[];
}

export function IndexView({ player }: { player: Player }) {
  player.beat.value;
  const tables = player.state.value?.index?.tables ?? [];
  const key = tables.map(({ name, parts }) => `${name}:${parts.map((part) => `${part.name}.${part.items}`).join()}`).join(";");
  const still = !player.playback.playing.value;
  const [known, setKnown] = useState<{ parts: readonly IndexPart[]; walk: Walk | undefined } | undefined>();
  const [chosen, setChosen] = useState<readonly [number, number]>([0, 0]);
  const [kind, setKind] = useState<number | undefined>();
  useEffect(() => {
    let here = true;
    player.inspection
      .indexParts()
      .then((parts) => here && setKnown({ parts, walk: walkOf(parts.flatMap(({ blocks }) => blocks.flatMap(({ items }) => items))) }))
      // Merged away meanwhile: the next look finds what came of it.
      .catch(() => {});
    return () => {
      here = false;
    };
  }, [key, still, player]);
  const parts = known?.parts ?? [];
  const part = parts[Math.min(chosen[0], parts.length - 1)];
  const at = Math.min(chosen[1], (part?.blocks.length ?? 1) - 1);
  const block = part?.blocks[at];
  const largest = Math.max(1, ...parts.map((one) => one.bytes));
  const pending = tables[0]?.pendingItems ?? 0;
  const listed = (block?.items ?? []).map(itemOf).filter((item) => kind === undefined || item.kind === kind);
  const placeOf = (item: string): readonly [number, number] | undefined => {
    for (const [i, one] of parts.entries()) {
      const found = one.blocks.findIndex(({ items }) => items.includes(item));
      if (found >= 0) return [i, found];
    }
    return undefined;
  };
  return (
    <div class={style.indexView}>
      <p class={style.lead}>
        {parts.length === 0
          ? pending > 0
            ? `${plural(pending, "item")} wait for the next flush; the index has no part yet.`
            : "No series was registered yet."
          : `${grouped(parts.reduce((sum, one) => sum + one.items, 0))} items in ${plural(parts.length, "part")}${pending > 0 ? `, ${grouped(pending)} more wait` : ""}. An item is a byte string whose first byte tells its kind; a part holds its items sorted, in blocks of up to 64 KiB.`}
      </p>
      {parts.length > 0 && (
        <div class={style.indexParts} role="group" aria-label="Parts of the index and their blocks">
          {parts.map((one, i) => (
            <div key={`${one.table}.${one.name}.${i}`} class={style.indexPart} style={{ flexGrow: Math.max(0.15, one.bytes / largest) }}>
              <div class={style.indexBlocks}>
                {one.blocks.map((details, n) => (
                  <button
                    key={n}
                    type="button"
                    aria-pressed={one === part && n === at}
                    aria-label={`Block ${n} of index part ${i + 1}: ${plural(details.items.length, "item")}`}
                    title={`${plural(details.items.length, "item")}, ${bytes(details.itemsAt[1] + details.lensAt[1])}`}
                    onClick={() => setChosen([i, n])}
                  >
                    {shares(details).map(([of, share]) => (
                      <span key={of} data-kind={of} style={{ flexGrow: share }} />
                    ))}
                  </button>
                ))}
              </div>
              <span class="note">
                {plural(one.items, "item")}, {bytes(one.bytes)}
              </span>
            </div>
          ))}
        </div>
      )}
      {block && (
        <>
          <div class={style.kinds} role="group" aria-label="Kinds of items">
            {[...new Set(block.items.map((item) => Number.parseInt(item.slice(0, 2), 16)))].map((of) => (
              <button
                key={of}
                type="button"
                class="chip"
                aria-pressed={kind === of}
                title={KINDS[of]?.says}
                onClick={() => setKind(kind === of ? undefined : of)}
              >
                <span class={style.dot} data-kind={of} aria-hidden="true" /> {KINDS[of]?.name ?? of}
              </button>
            ))}
          </div>
          <ol class={style.items} aria-label="Items of the block" tabIndex={0}>
            {listed.slice(0, MOST_LISTED).map((item) => (
              <Item key={item.hex} hex={item.hex} />
            ))}
            {listed.length > MOST_LISTED && <li class="note">and {grouped(listed.length - MOST_LISTED)} more in this block</li>}
          </ol>
          <p class="note">
            {plural(block.items.length, "item")} in {bytes(block.itemsAt[1])} of items.bin at {grouped(block.itemsAt[0])} and{" "}
            {bytes(block.lensAt[1])} of lens.bin
            {block.isZstd ? ", ZSTD; what an item shares with the one before it is left out" : ", stored plain"}
            {block.commonPrefixBytes > 0 && `. All begin with the same ${plural(block.commonPrefixBytes, "byte")}`}.
          </p>
        </>
      )}
      {known?.walk && (
        <section class={style.walkSteps} aria-labelledby="index-walk">
          <h3 id="index-walk">
            How <code>{known.walk.selector}</code> finds its series
          </h3>
          <ol>
            {known.walk.steps.map(({ says, key: wanted, item }) => {
              const place = placeOf(item);
              return (
                <li key={item}>
                  <p>
                    {says}{" "}
                    {place && (
                      <button type="button" class="link" onClick={() => setChosen(place)}>
                        part {place[0] + 1}, block {place[1]}
                      </button>
                    )}
                  </p>
                  <ul class={style.items}>
                    <Item hex={item} sought={wanted.length} />
                  </ul>
                </li>
              );
            })}
          </ol>
          <p class="note">
            The metaindex of each part is in memory. It names the index block, the index block names the block, and in the block the key is
            found by halving. Then only blocks of data with these TSIDs are read.
          </p>
        </section>
      )}
    </div>
  );
}

/** Which kinds a block has, and how much of each. */
function shares({ items }: IndexBlockDetails): [number, number][] {
  const counts = new Map<number, number>();
  for (const item of items) {
    const kind = Number.parseInt(item.slice(0, 2), 16);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts];
}

/** `sought`: so many digits of it were looked for. */
function Item({ hex, sought = 0 }: { hex: string; sought?: number }) {
  const item = itemOf(hex);
  let digits = 0;
  return (
    <li class={style.item}>
      {item.fields.map((field, i) => {
        digits += field.hex.length;
        return (
          <span key={i} class={digits <= sought ? `${style.bytes} ${style.sought}` : style.bytes}>
            <code>{field.hex.length > 48 ? `${spaced(field.hex.slice(0, 40))} …` : spaced(field.hex)}</code>
            <span class="note">
              {field.name}
              {field.says && <strong> {field.says}</strong>}
            </span>
          </span>
        );
      })}
    </li>
  );
}

const spaced = (hex: string): string => hex.match(/../g)?.join(" ") ?? "";
