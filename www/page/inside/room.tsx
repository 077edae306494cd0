// The rooms Inside and Chapters: the picture with its controls, and what stands beside it.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { bytes, clock, grouped, plural } from "../model/format";
import { HOME, type Place } from "../model/history";
import { SITUATIONS } from "../replay/situations";
import { LeavesOut } from "./aside_note";
import { CHAPTERS, type Chapter, chapterOf } from "./chapters";
import { Counters, MergePanel } from "./counters";
import { Embed } from "./embed";
import { GlassView } from "./glass_view";
import { HeapWalk } from "./heap_walk";
import { IndexView } from "./index_view";
import { type KeyLine, Keys } from "./keys";
import { Lesson } from "./lesson";
import { LessonPanel } from "./lesson_panel";
import { LineageView } from "./lineage_view";
import { OwnRows } from "./own_rows";
import { OwnView } from "./own_view";
import { Pipeline } from "./pipeline";
import { SPEEDS } from "./playback";
import { Player } from "./player";
import { RaceView } from "./race_view";
import { StateView } from "./state_view";
import { TabsView, TakenOver } from "./tabs_view";
import { DEED_KEYS, deedOfKey, Deeds, OWN_KEY, Transport } from "./transport";
import { WalkView } from "./walk_view";
import { ZoomPath, ZoomView } from "./zoom_view";
import style from "./room.module.css";
import swatch from "../drawing/stage_swatch.module.css";

/** One for the whole visit: both rooms look at the same engine. */
let only: Player | undefined;
const lesson = new Lesson();
const chapterId = signal("");
/** The chapter that has led into a part since it was begun: it does so once. */
let lookedInto = "";

const REDUCED_MOTION = matchMedia("(prefers-reduced-motion: reduce)");

export function enter(place: Place): Player {
  const player = (only ??= new Player());
  player.room = place.room;
  player.embedded = place.embedded;
  player.address.follow();
  if (place.room === "chapters") {
    const chapter = chapterOf(place.chapter || chapterId.value);
    const isHere = chapterId.value === chapter.id && player.chapter === chapter.id;
    if (place.isPlain || place.history.situation !== chapter.history.situation) {
      if (!isHere || place.chapter !== "") show(player, chapter);
      else player.address.write(false);
    } else if (!isHere || !player.isAt(place)) {
      chapterId.value = player.chapter = lookedInto = chapter.id;
      if (!isHere) lesson.begin();
      void player.go(place).then((arrived) => {
        if (!arrived) return;
        player.playback.speed.value = chapter.speed;
        player.playback.until = chapter.to;
      });
    }
    return player;
  }
  chapterId.value = player.chapter = "";
  // Who comes back to the room by its door finds it as it was left.
  if (place.isPlain && player.ready.peek()) {
    player.playback.until = undefined;
    player.address.write(false);
    return player;
  }
  if (player.isAt(place)) return player;
  const isStart = place.at === 0 && place.zoom.length === 0;
  void player.go(place).then((arrived) => arrived && isStart && start(player));
  return player;
}

export function leave(): void {
  only?.leave();
}

/** Plays, unless the visitor wants nothing to move by itself: then it waits for the button. */
function start(player: Player, until?: number): void {
  if (REDUCED_MOTION.matches) player.playback.until = until;
  else player.play(until);
}

function show(player: Player, chapter: Chapter): void {
  chapterId.value = chapter.id;
  player.chapter = chapter.id;
  lookedInto = "";
  lesson.begin();
  void player.go({ history: chapter.history, at: chapter.from, zoom: [] }).then((arrived) => {
    if (!arrived) return;
    player.playback.speed.value = chapter.speed;
    start(player, chapter.to);
  });
}

function begin(player: Player, situation: string): void {
  if (player.room === "chapters") {
    location.hash = `#inside?s=${situation}`;
    return;
  }
  const history = { ...HOME.history, seed: player.history.value.seed, situation };
  void player.go({ history, at: 0, zoom: [] }).then((arrived) => arrived && start(player));
  // On a phone the list lies far below what it changes.
  const picture = document.querySelector("[data-picture]");
  if (picture && picture.getBoundingClientRect().bottom < 0) picture.scrollIntoView();
}

export function Room({ player }: { player: Player }) {
  const [keysShown, setKeysShown] = useState(false);
  const [ownShown, setOwnShown] = useState<false | "button" | "key">(false);
  const [snapshot, setSnapshot] = useState<string | undefined>();
  const [merge, setMerge] = useState<number | undefined>();
  const chapter = chapterId.value === "" ? undefined : chapterOf(chapterId.value);
  const inChapters = chapter !== undefined;
  useChapterZoom(player);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const target = event.target as HTMLElement;
      if (target.closest?.("input:not([type=range]),select,textarea,[contenteditable]")) return;
      if (keysShown && event.key !== "Escape" && event.key !== "?") return;
      if (event.key === OWN_KEY && !inChapters) {
        setOwnShown((shown) => !shown && "key");
        event.preventDefault();
        return;
      }
      if (
        !press(
          player,
          event.key,
          target,
          () => setKeysShown((shown) => !shown),
          () => setKeysShown(false),
          keysShown,
        )
      )
        return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [player, keysShown, inChapters]);
  const showsIndex = chapter?.index === true;
  const zoomed = player.look.zoom.value.length > 1;
  const situation = player.situation.value;
  const { x, y } = player.look.zoomFrom;
  return (
    <div class={inChapters ? `${style.room} ${style.withChapter}` : style.room}>
      {!inChapters && !player.embedded && (
        <div class={style.insideIntro}>
          <h1>Inside</h1>
          <p class="note">
            You look into a storage engine at work: rows fall in at the top, become parts, and go to disk through the neck. Try a button
            below the picture, or choose another situation further down.
          </p>
        </div>
      )}
      {chapter && <LessonPanel player={player} lesson={lesson} chapter={chapter} onAgain={() => show(player, chapter)} onTurn={turn} />}
      <section class={`card ${style.scene}`} aria-labelledby="scene-title">
        <header class={style.sceneHead}>
          {inChapters ? (
            <h2 id="scene-title" class="hidden">
              The engine at work
            </h2>
          ) : (
            <SceneTitle isAlone={player.embedded} name={situation.name} />
          )}
          {!inChapters && <p class={style.watch}>{situation.watch}</p>}
          {!inChapters && <LeavesOut key={situation.id} says={situation.leavesOut} />}
          {chapter && <Counters key={chapter.id} player={player} only={chapter.counters} />}
          <ZoomPath player={player} />
        </header>
        {situation.hasTabs && <TabsView player={player} />}
        {chapter?.panel === "race" && <RaceView lesson={lesson} />}
        {chapter?.panel === "walk" && <WalkView player={player} lesson={lesson} />}
        <div
          class={chapter?.panel === "race" || chapter?.panel === "walk" ? `${style.picture} ${style.belowStage}` : style.picture}
          data-picture=""
          data-zoomed={zoomed ? "" : undefined}
          style={{ "--zoom-x": `${x * 100}%`, "--zoom-y": `${y * 100}%` }}
        >
          <GlassView player={player} pointedSnapshot={snapshot} />
          <ZoomView look={player.look} />
          {!player.ready.value && !player.trouble.value && <p class="nothing">Starting an engine…</p>}
        </div>
        <ul class={style.zones} aria-label="From above: what the colours stand for">
          <li class={swatch.named} data-stage="raw">
            raw rows, a colour for each series
          </li>
          <li class={swatch.named} data-stage="inmemory">
            in-memory parts
          </li>
          <li class={swatch.named} data-stage="small">
            small parts, on disk
          </li>
          <li class={swatch.named} data-stage="big">
            often merged, and big parts
          </li>
        </ul>
        {player.trouble.value && (
          <p class="reading problem" role="alert">
            {player.trouble.value}
          </p>
        )}
        {player.look.gone.value && (
          <p class="reading" role="status">
            {player.look.gone.value}
          </p>
        )}
        <Transport player={player} />
        <Deeds
          player={player}
          own={inChapters ? undefined : { isOpen: ownShown !== false, toggle: () => setOwnShown((shown) => !shown && "button") }}
        />
        {ownShown && !inChapters && <OwnRows player={player} takesFocus={ownShown === "key"} />}
        <Shelf player={player} pointed={snapshot} onPoint={setSnapshot} />
        <Troubles player={player} />
      </section>
      {(!chapter || chapter.merges) && (
        <aside class={`card ${style.side}`} aria-label={inChapters ? "Merges" : "Counters"}>
          {!inChapters && <Counters player={player} />}
          {chapter?.merges === "time line" && <LineageView player={player} chosen={merge} onChoose={setMerge} />}
          <MergePanel player={player} chosen={merge} />
          {chapter?.merges !== "time line" && <HeapWalk player={player} />}
        </aside>
      )}
      {!chapter && <Timeline player={player} chosen={merge} onChoose={setMerge} />}
      {chapter?.panel === "own" && <OwnView seriesNumber={(labels) => player.seriesNumber(labels)} />}
      {!inChapters && <Situations player={player} />}
      {(!player.embedded || showsIndex) && (
        <Drawer title="The index" hint="How labels lead to series: items, blocks and parts, down to their bytes" open={showsIndex}>
          {() => <IndexView player={player} />}
        </Drawer>
      )}
      {!inChapters && !player.embedded && (
        <Drawer title="The engine’s state" hint="All that db.inspect() says at this instant, as it is" open={false}>
          {() => <StateView player={player} />}
        </Drawer>
      )}
      {!player.embedded && <Pipeline player={player} />}
      <p class={style.keysHint}>
        <button type="button" class="link" onClick={() => setKeysShown(true)} aria-keyshortcuts="?">
          Keys: press ?
        </button>
        <span class="note">Seed {player.history.value.seed}. The address holds the whole history: whoever opens it sees the same.</span>
        <Embed player={player} />
      </p>
      {keysShown && <Keys lines={keyLines(inChapters)} onClose={() => setKeysShown(false)} />}
    </div>
  );
}

/** What is embedded has no other heading. */
const SceneTitle = ({ isAlone, name }: { isAlone: boolean; name: string }) =>
  isAlone ? <h1 id="scene-title">{name}</h1> : <h2 id="scene-title">{name}</h2>;

/** Whether the key was one of ours. */
function press(
  player: Player,
  key: string,
  target: HTMLElement,
  toggleKeys: () => void,
  closeKeys: () => void,
  keysShown: boolean,
): boolean {
  const isButton = target.closest("button,a,summary") !== null;
  switch (key) {
    case "?":
      toggleKeys();
      return true;
    case "Escape":
      if (keysShown) closeKeys();
      else if (player.look.zoom.value.length > 0) void player.look.zoomTo(player.look.zoom.value.slice(0, -1));
      return true;
    case " ":
      if (isButton) return false;
      if (player.playback.playing.value) void player.pause();
      else player.play();
      return true;
    case ".":
      void player.step("event");
      return true;
    case "ArrowRight":
      void player.step(1000);
      return true;
    case "ArrowLeft":
      void player.step(-1000);
      return true;
    case "Home":
      void player.seek(0);
      return true;
    case "+":
    case "-": {
      const at = SPEEDS.findIndex((speed) => speed >= player.playback.speed.value);
      const next = SPEEDS[at + (key === "+" ? 1 : -1)];
      if (next !== undefined) player.playback.speed.value = next;
      return true;
    }
    case "[":
    case "]":
      if (chapterId.value === "") return false;
      turn(key === "]" ? 1 : -1);
      return true;
  }
  const deed = deedOfKey(key);
  if (deed) {
    void player.act({ kind: deed });
    return true;
  }
  const situation = SITUATIONS.find((other) => other.key === key);
  if (situation) begin(player, situation.id);
  return situation !== undefined;
}

function keyLines(inChapters: boolean): KeyLine[] {
  return [
    ["space", "play, pause"],
    [".", "one event further"],
    ["→ ←", "one second further, back"],
    ["Home", "back to the start"],
    ["+ −", "faster, slower"],
    ["Enter", "look into the chosen part"],
    ["Esc", "look from further away"],
    ...(inChapters ? ([["[ ]", "chapter before, after"]] as const) : []),
    ...DEED_KEYS,
    ...(inChapters ? [] : ([[OWN_KEY, "numbers of your own"]] as const)),
    ...SITUATIONS.map(({ key, name }) => [key, name] as const),
    ["?", "this list"],
  ];
}

// ---- chapters ---------------------------------------------------------------------------------------------------------

function turn(by: number): void {
  const at = CHAPTERS.findIndex(({ id }) => id === chapterId.value);
  const next = CHAPTERS[at + by];
  if (next) location.hash = `#chapters/${next.id}`;
}

/** A chapter that ends inside of a part goes there when its end is reached, by play or by steps, and its engine is at rest. */
function useChapterZoom(player: Player): void {
  const id = chapterId.value;
  const isOver = id !== "" && player.print.value !== "" && player.at.peek() >= chapterOf(id).to;
  useEffect(() => {
    const { zoom } = chapterOf(id);
    if (!isOver || zoom === undefined || lookedInto === id) return;
    lookedInto = id;
    const largest = player.house.parts().toSorted((a, b) => b.rows - a.rows)[0];
    if (!largest) return;
    const path = [largest.partition, String(largest.id)];
    void player.look.zoomTo(path).then(() => {
      // Blocks lie in the order of their TSIDs, so that the metric has to be looked for. The visitor may have gone elsewhere meanwhile.
      if (zoom === "part" || player.look.zoom.peek() !== path) return;
      const block = player.look.part.peek()?.headers.findIndex(({ labels }) => labels?.__name__ === zoom.metric) ?? -1;
      if (block >= 0) void player.look.zoomTo([...path, String(block)]);
    });
  }, [isOver, id, player]);
}

// ---- below the picture ------------------------------------------------------------------------------------------------

function Shelf({ player, pointed, onPoint }: { player: Player; pointed: string | undefined; onPoint: (name: string | undefined) => void }) {
  player.beat.value;
  const { snapshots } = player.house;
  if (snapshots.length === 0) return null;
  const present = new Set(player.house.parts().map(({ id }) => id));
  return (
    <ul class={style.shelf} aria-label="Snapshots">
      {snapshots.map(({ name, linked, bytes: size, at }) => {
        const gone = linked.filter(({ id }) => !present.has(id)).length;
        return (
          <li key={name}>
            <button
              type="button"
              aria-pressed={pointed === name}
              onPointerEnter={() => onPoint(name)}
              onPointerLeave={() => onPoint(undefined)}
              onFocus={() => onPoint(name)}
              onBlur={() => onPoint(undefined)}
            >
              <strong>Snapshot at {clock(at + player.situation.value.startTime)}</strong>
              <span>
                {plural(linked.length, "data part")}, {bytes(size)} linked, 0 B copied
                {gone > 0 && `; ${grouped(gone)} of them live on in snapshots alone`}
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

function Troubles({ player }: { player: Player }) {
  player.beat.value;
  const { troubles, crashes } = player.house;
  const crash = crashes.at(-1);
  const trouble = troubles.at(-1);
  return (
    <div class={style.troubles} role="status" data-troubles="">
      {crash && player.situation.value.hasTabs && <TakenOver crash={crash} crashes={crashes.length} />}
      {crash && !player.situation.value.hasTabs && (
        <p>
          <strong>Crashed at {(crash.at / 1000).toFixed(1)} s.</strong> {plural(crash.lostRows, "row")} that were in memory are gone; what
          was on disk was found again. This room’s engine keeps no log of rows, as the server keeps none; a database of the package does,
          and loses a second at most.
        </p>
      )}
      {trouble && (
        <p>
          <strong>{plural(troubles.length, "refusal")}.</strong> The last: {trouble.message}
        </p>
      )}
    </div>
  );
}

function Situations({ player }: { player: Player }) {
  const chosen = player.situation.value.id;
  return (
    <section class={`card ${style.situations}`} aria-labelledby="situations-title">
      <h2 id="situations-title">Situations</h2>
      <div class={style.situationList}>
        {SITUATIONS.map(({ id, key, name }) => (
          <button key={id} type="button" aria-pressed={id === chosen} aria-keyshortcuts={key} onClick={() => begin(player, id)}>
            <kbd>{key}</kbd>
            <span>{name}</span>
          </button>
        ))}
      </div>
      <p class={`note ${style.ownSamples}`}>
        Numbers of your own fall through the picture, too: press “Own numbers” below it. And the samples that you explore can be looked
        into: in <a href="#explore">Explore</a>, choose one in the chart or in the list of raw samples, and open it here.
      </p>
    </section>
  );
}

/** Merges over time, once there are some. */
function Timeline(props: { player: Player; chosen: number | undefined; onChoose: (merge: number | undefined) => void }) {
  props.player.beat.value;
  if (props.player.house.lastMerge === undefined) return null;
  return (
    <div class={`card ${style.timeline}`}>
      <LineageView {...props} />
    </div>
  );
}

/** Closed at first: nothing of it is asked for before somebody wants to see it. */
function Drawer(props: { title: string; hint: string; open: boolean; children: () => ComponentChildren }) {
  const { title, hint, open, children } = props;
  const [shown, setShown] = useState(open);
  useEffect(() => setShown(open), [open]);
  return (
    <details class={`card ${style.drawer}`} open={shown} onToggle={(event) => setShown(event.currentTarget.open)}>
      <summary>
        <h2>{title}</h2> <span class="hint">{hint}</span>
      </summary>
      {shown && children()}
    </details>
  );
}
