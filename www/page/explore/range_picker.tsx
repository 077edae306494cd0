// The range of time: presets, free input, steps to the side, and the way back from a zoom.

import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { messageOf } from "../model/trouble";
import type { Explorer } from "./explorer";
import { instantText } from "./figures";
import { instantOf, isRelative } from "./times";
import style from "./explore.module.css";

const PRESETS = [
  ["now-5m", "now", "Last 5 minutes"],
  ["now-15m", "now", "Last 15 minutes"],
  ["now-1h", "now", "Last hour"],
  ["now-6h", "now", "Last 6 hours"],
  ["now-1d", "now", "Last day"],
  ["now-7d", "now", "Last 7 days"],
  ["now-30d", "now", "Last 30 days"],
  ["now/d", "now/d", "Today"],
  ["now-1d/d", "now-1d/d", "Yesterday"],
  ["now-1w/w", "now-1w/w", "The week before"],
] as const;

/** Pixels between the panel and the edge of the window. */
const MARGIN = 16;

export function rangeText(from: string, to: string, now: number): string {
  const preset = PRESETS.find(([start, end]) => start === from && end === to);
  if (preset) return preset[2];
  if (isRelative(from) && isRelative(to)) return `${from} to ${to}`;
  try {
    const [start, end] = [instantText(instantOf(from, now)), isRelative(to) ? to : instantText(instantOf(to, now, true))];
    const [day = "", endDay = ""] = [start, end].map((text) => text.replace(/ [^ ]+$/, ""));
    return `${start} – ${day === endDay ? end.slice(day.length + 1) : end}`;
  } catch {
    return `${from} – ${to}`;
  }
}

export function RangePicker({ explorer }: { explorer: Explorer }) {
  const { from, to } = explorer.view.value;
  const [isOpen, setOpen] = useState(false);
  const [typed, setTyped] = useState({ from, to });
  const [problem, setProblem] = useState("");
  const holder = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const id = useId();
  const before = explorer.before.value.at(-1);

  useEffect(() => {
    if (!isOpen) return;
    const leave = (event: Event) => {
      if (!holder.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", leave);
    document.addEventListener("focusin", leave);
    return () => {
      document.removeEventListener("pointerdown", leave);
      document.removeEventListener("focusin", leave);
    };
  }, [isOpen]);

  // It begins where its button does, or as far to the left of that as it must to end in the window.
  useLayoutEffect(() => {
    const fit = () => {
      const { current } = panel;
      if (!isOpen || !current) return;
      current.style.setProperty("--shift", "0px");
      const { right } = current.getBoundingClientRect();
      current.style.setProperty("--shift", `${Math.min(0, document.documentElement.clientWidth - MARGIN - right)}px`);
    };
    fit();
    addEventListener("resize", fit);
    return () => removeEventListener("resize", fit);
  }, [isOpen, from, to]);

  const toggle = () => {
    setTyped({ from, to });
    setProblem("");
    setOpen(!isOpen);
  };
  const close = () => {
    setOpen(false);
    opener.current?.focus();
  };
  const apply = (start: string, end: string) => {
    try {
      explorer.setRange(start, end);
      close();
    } catch (error) {
      setProblem(messageOf(error));
    }
  };

  return (
    <div class={style.range} role="group" aria-label="Time">
      <button type="button" aria-label="Earlier" title="Earlier, by half of the range" onClick={() => explorer.move(-0.5)}>
        ‹
      </button>
      <div
        class={style.picker}
        ref={holder}
        onKeyDown={(event) => {
          if (event.key !== "Escape" || !isOpen) return;
          // What else Escape closes stays open.
          event.preventDefault();
          close();
        }}
      >
        <button type="button" ref={opener} aria-expanded={isOpen} aria-controls={`${id}-panel`} onClick={toggle}>
          {rangeText(from, to, explorer.now())}
        </button>
        <div id={`${id}-panel`} class={style.panel} ref={panel} hidden={!isOpen}>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              apply(typed.from, typed.to);
            }}
          >
            <label for={`${id}-from`}>From</label>
            <input
              id={`${id}-from`}
              value={typed.from}
              autocomplete="off"
              spellcheck={false}
              onInput={(event) => setTyped({ ...typed, from: event.currentTarget.value })}
            />
            <label for={`${id}-to`}>To</label>
            <input
              id={`${id}-to`}
              value={typed.to}
              autocomplete="off"
              spellcheck={false}
              onInput={(event) => setTyped({ ...typed, to: event.currentTarget.value })}
            />
            {problem && (
              <p class="reading problem" role="alert">
                {problem}
              </p>
            )}
            <button type="submit" class="primary">
              Show this time
            </button>
            <p class="note">now-1h, now-7d/d, 2026-11-29, 2026-11-29 14:03, or seconds since 1970</p>
          </form>
          <ul>
            {PRESETS.map(([start, end, name]) => (
              <li key={name}>
                <button type="button" aria-pressed={start === from && end === to} onClick={() => apply(start, end)}>
                  {name}
                </button>
              </li>
            ))}
          </ul>
        </div>
      </div>
      <button type="button" aria-label="Later" title="Later, by half of the range" onClick={() => explorer.move(0.5)}>
        ›
      </button>
      <button type="button" aria-label="Wider" title="Twice the range" onClick={() => explorer.move(0, 2)}>
        −
      </button>
      {before && (
        <button type="button" class={style.back} onClick={() => explorer.zoomBack()}>
          Back from the zoom
        </button>
      )}
    </div>
  );
}
