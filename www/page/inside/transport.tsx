// Time: play, pause, steps, speed, and a line to be dragged along.

import type { ActionKind } from "../model/history";
import { SPEEDS } from "./playback";
import { AFTER_DEED_MS, type Player } from "./player";
import style from "./transport.module.css";

const MARKS: Partial<Record<string, string>> = {
  late: "late samples",
  burst: "burst",
  flushes: "257 flushes",
  flush: "flush",
  merge: "merge all",
  snapshot: "snapshot",
  ask: "select",
  import: "import",
  own: "own numbers",
  crash: "crash",
};

export function clockOf(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}.${Math.floor((ms % 1000) / 100)}`;
}

export function Transport({ player }: { player: Player }) {
  const at = player.at.value;
  const playing = player.playback.playing.value;
  player.history.value;
  player.ready.value;
  const end = player.end;
  return (
    <div class={style.transport} data-transport="">
      <div class={style.transportButtons}>
        <button
          type="button"
          class={`primary ${style.play}`}
          data-play=""
          aria-label={playing ? "Pause" : "Play"}
          onClick={() => (playing ? void player.pause() : player.play())}
        >
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d={playing ? "M4 3h3v10H4zM9 3h3v10H9z" : "M4 2.5v11l9-5.5z"} />
          </svg>
        </button>
        <button type="button" onClick={() => void player.step("event")} aria-keyshortcuts=".">
          1 event
        </button>
        <button type="button" onClick={() => void player.step(1000)} aria-keyshortcuts="ArrowRight">
          1 s
        </button>
        <label>
          <span class="hidden">Speed</span>
          <select
            value={String(player.playback.speed.value)}
            onChange={(event) => (player.playback.speed.value = Number((event.target as HTMLSelectElement).value))}
          >
            {SPEEDS.map((speed) => (
              <option key={speed} value={String(speed)}>
                {speed}×
              </option>
            ))}
          </select>
        </label>
      </div>
      <div class={style.line}>
        <input
          type="range"
          min={0}
          max={end}
          step={100}
          value={at}
          aria-label="Time since the history began"
          aria-valuetext={`${(at / 1000).toFixed(1)} seconds`}
          style={{ "--done": `${(at / end) * 100}%` }}
          onInput={(event) => void player.seek(Number((event.target as HTMLInputElement).value))}
        />
        <div class={style.marks} aria-hidden="true">
          {player.script.map((action, i) => (
            <span
              key={i}
              class={action.kind === "crash" ? `${style.mark} ${style.crash}` : style.mark}
              style={{ left: `${(action.at / end) * 100}%` }}
              title={`${MARKS[action.kind]} at ${clockOf(action.at)}`}
            />
          ))}
        </div>
      </div>
      <output
        class={style.time}
        data-at={Math.round(at)}
        data-print={player.print.value}
        title="The fingerprint of the engine's whole state: the same history has the same one on any machine"
      >
        <strong>{clockOf(at)}</strong>
        <span>
          {playing
            ? player.reel.shown.value
              ? "merging: time stands still"
              : ""
            : player.print.value && `state ${player.print.value.slice(0, 8)}`}
        </span>
      </output>
    </div>
  );
}

const DEEDS: readonly { kind: ActionKind; name: string; key: string; does: string }[] = [
  { kind: "late", name: "Late samples", key: "l", does: "Samples of two hours ago, and of February" },
  { kind: "burst", name: "Burst", key: "b", does: "13,200 rows at once" },
  { kind: "flush", name: "Flush", key: "u", does: "/internal/force_flush: raw rows become searchable" },
  { kind: "merge", name: "Merge all", key: "g", does: "/internal/force_merge: every month ends with one part" },
  { kind: "snapshot", name: "Snapshot", key: "s", does: "/snapshot/create" },
  { kind: "ask", name: "Select", key: "q", does: "Reads the last ten seconds of every series" },
  { kind: "crash", name: "Crash", key: "x", does: "kill -9, and a new start" },
];

export const deedOfKey = (key: string): ActionKind | undefined => DEEDS.find((deed) => deed.key === key)?.kind;
export const DEED_KEYS = DEEDS.map(({ key, name }) => [key, name] as const);

/** The key that opens and closes what numbers of one's own are handed in by. */
export const OWN_KEY = "o";

/** `own` tells whether that is open; where there is none of it, nothing opens it. */
export function Deeds({ player, own }: { player: Player; own?: { isOpen: boolean; toggle: () => void } | undefined }) {
  return (
    <div class={style.deeds} role="group" aria-label="Do this now">
      <span class={style.deedsName}>Do now</span>
      {DEEDS.map(({ kind, name, key, does }) => (
        <button
          key={kind}
          type="button"
          class={kind === "crash" ? "danger" : ""}
          title={`${does} (key ${key})`}
          aria-keyshortcuts={key}
          onClick={() => void player.act({ kind })}
        >
          {name}
        </button>
      ))}
      {own && (
        <button
          type="button"
          title={`Numbers that you paste or draw become rows of a series (key ${OWN_KEY})`}
          aria-keyshortcuts={OWN_KEY}
          aria-expanded={own.isOpen}
          onClick={own.toggle}
        >
          Own numbers
        </button>
      )}
      <span class="note">While paused, each plays on for {AFTER_DEED_MS / 1000} s.</span>
    </div>
  );
}
