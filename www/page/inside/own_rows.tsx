// Numbers of one's own that fall through the picture: they become rows of a series, and where these are by now is said.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { grouped, plural } from "../model/format";
import { numbersIn } from "../model/numbers";
import { isOwn, MOST_OWN, OWN_LABELS, OWN_SERIES } from "../model/own";
import type { Part } from "../model/parts";
import { CLASS_WORD } from "../model/words";
import { FIRST_EXAMPLE, NumbersInput } from "./numbers_input";
import type { Player } from "./player";
import style from "./own_rows.module.css";

/** `takesFocus`: it was opened by its key, wherever the focus was. */
export function OwnRows({ player, takesFocus }: { player: Player; takesFocus: boolean }) {
  const [text, setText] = useState(FIRST_EXAMPLE);
  const found = useMemo(() => numbersIn(text, MOST_OWN), [text]);
  const { numbers } = found;
  const card = useRef<HTMLElement>(null);
  // What was opened is seen whole, without the picture's being scrolled away further than it has to be.
  useEffect(() => {
    if (takesFocus) card.current?.querySelector("h2")?.focus({ preventScroll: true });
    card.current?.scrollIntoView({ block: "nearest" });
  }, []);
  return (
    <section class={style.own} ref={card} aria-labelledby="own-rows-title">
      <h2 id="own-rows-title" tabIndex={-1}>
        Numbers of your own
      </h2>
      <p class="note">
        Paste a column of them, or draw a curve. They fall as rows of the series <code>{OWN_LABELS.__name__}</code>, one sample a second,
        the last one now. From then on they are a part of the address.
      </p>
      <NumbersInput text={text} onText={setText} found={found} whyNoMore="the address has to hold them, and more would make it too long" />
      <div class={style.go}>
        <button
          type="button"
          class="primary"
          disabled={numbers.length === 0 || !player.ready.value}
          onClick={() => {
            // What falls is seen from outside.
            if (player.look.zoom.value.length > 1) player.look.leave();
            showPicture();
            void player.act({ kind: "own", numbers });
          }}
        >
          Let them fall
        </button>
        <Whereabouts player={player} />
      </div>
    </section>
  );
}

/** On a phone it lies above what is pressed here. */
const showPicture = () => document.querySelector("[data-picture]")?.scrollIntoView({ block: "nearest" });

/** Where the rows are, and the way to their bytes. */
function Whereabouts({ player }: { player: Player }) {
  player.beat.value;
  player.reel.version.value;
  const at = player.at.value;
  const fallen = player.history.value.actions.reduce((sum, { at: when, numbers = [] }) => sum + (when <= at ? numbers.length : 0), 0);
  // The region has to be there before it has something to tell.
  if (fallen === 0) return <p role="status" />;
  const blocks = blocksOf(player);
  const newest = blocks.at(-1);
  const rows = blocks.reduce((sum, block) => sum + block.rows, 0);
  const waits = [...player.house.engine.partitions.keys()].some((month) => player.house.grainsOf(month).includes(OWN_SERIES));
  const sentences = [
    `${plural(fallen, "number")} of yours fell.`,
    waits && "Rows of them wait in the shard.",
    newest && `${shareOf(rows, fallen)} in ${placesOf(blocks.map(({ part }) => part))}.`,
    !waits && rows < fallen && (player.inspection.knowsAll ? LOST : "They are on their way into a part."),
  ];
  return (
    <>
      <p class={style.where} role="status" data-own="">
        {sentences.filter(Boolean).join(" ")}
      </p>
      {newest && (
        <button
          type="button"
          onClick={() => {
            showPicture();
            void player.look.zoomTo([newest.part.partition, String(newest.part.id), String(newest.block)]);
          }}
        >
          Look at their bytes
        </button>
      )}
    </>
  );
}

const LOST = "What is missing is gone: as a duplicate, by the retention, in a crash, or since the storage was full.";

function shareOf(rows: number, fallen: number): string {
  if (fallen === 1) return "It is";
  return rows === fallen ? "All of them are" : `${grouped(rows)} of them ${rows === 1 ? "is" : "are"}`;
}

interface OwnBlock {
  part: Part;
  block: number;
  rows: number;
}

/** The blocks that have them, those of the newest part last. */
const blocksOf = (player: Player): OwnBlock[] =>
  player.house
    .parts()
    .toSorted((a, b) => a.id - b.id)
    .flatMap((part) =>
      player.inspection.headersOf(part.id).flatMap(({ labels, rows }, block) => (isOwn(labels) ? [{ part, block, rows }] : [])),
    );

/** Such as "1 in-memory part and 2 small parts". */
function placesOf(parts: readonly Part[]): string {
  const classes = new Map<string, Set<number>>();
  for (const part of parts) classes.set(part.class, (classes.get(part.class) ?? new Set()).add(part.id));
  return [...classes].map(([name, ids]) => plural(ids.size, CLASS_WORD[name as Part["class"]])).join(" and ");
}
