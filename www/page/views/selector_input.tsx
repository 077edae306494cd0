import type { ReadonlySignal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Database } from "sandglass";
import type { ChartFeed } from "../chart_feed";
import { complete, matching, type Place, placeOf } from "../model/selector";
import style from "./selector_input.module.css";

const MOST_SUGGESTIONS = 9;

/** The selector, with names and values from the database's own index to choose from. */
export function SelectorInput({ feed, database }: { feed: ChartFeed; database: ReadonlySignal<Database | undefined> }) {
  const [text, setText] = useState(feed.selector.value);
  const [suggestions, setSuggestions] = useState<string[]>([]);
  const [active, setActive] = useState(-1);
  const place = useRef<Place>({ kind: "none" });
  const input = useRef<HTMLInputElement>(null);
  const asked = useRef(0);
  const chosen = feed.selector.value;

  useEffect(() => setText(chosen), [chosen]);
  /** Typed and not entered: nothing is drawn, saved or remembered of it. */
  const isDraft = text.trim() !== chosen && text.trim() !== "";

  const close = () => {
    asked.current++;
    setSuggestions([]);
    setActive(-1);
  };

  const accept = (value: string) => {
    close();
    if (value.trim() === "") setText(feed.selector.value);
    else feed.selector.value = value.trim();
  };

  const suggest = async (value: string, cursor: number) => {
    const source = database.value;
    if (!source) return;
    const turn = ++asked.current;
    const found = placeOf(value, cursor);
    const candidates = await candidatesFor(source, found).catch(() => []);
    if (turn !== asked.current) return;
    place.current = found;
    const typed = found.kind === "none" ? "" : found.typed;
    const fitting = matching(candidates, typed, MOST_SUGGESTIONS);
    setSuggestions(fitting.length === 1 && fitting[0] === typed ? [] : fitting);
    setActive(-1);
  };

  const take = (candidate: string) => {
    const done = complete(text, place.current, candidate);
    setText(done.text);
    close();
    // The series of a finished name or value can be drawn at once.
    if (place.current.kind !== "label") accept(done.text);
    requestAnimationFrame(() => {
      input.current?.focus();
      input.current?.setSelectionRange(done.cursor, done.cursor);
      if (place.current.kind === "label") void suggest(done.text, done.cursor);
    });
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (suggestions.length === 0) {
        void suggest(text, input.current?.selectionStart ?? text.length);
        return;
      }
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      setActive((active + step + suggestions.length + (active < 0 && step < 0 ? 1 : 0)) % suggestions.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      const candidate = suggestions[active];
      if (candidate !== undefined) take(candidate);
      else accept(text);
    } else if (event.key === "Escape") {
      if (suggestions.length > 0) close();
      else setText(feed.selector.value);
    }
  };

  return (
    <div class={style.selector}>
      <label class="hidden" for={`selector-${feed.id}`}>
        Selector of the series to draw
      </label>
      <input
        id={`selector-${feed.id}`}
        ref={input}
        type="text"
        class={isDraft ? style.draft : ""}
        role="combobox"
        aria-expanded={suggestions.length > 0}
        aria-controls={`selector-${feed.id}-suggestions`}
        aria-activedescendant={active >= 0 ? `selector-${feed.id}-suggestion-${active}` : undefined}
        aria-autocomplete="list"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          void suggest(event.currentTarget.value, event.currentTarget.selectionStart ?? 0);
        }}
        onClick={(event) => void suggest(text, event.currentTarget.selectionStart ?? 0)}
        onKeyDown={onKeyDown}
        onBlur={() => {
          close();
          if (text.trim() === "") setText(feed.selector.value);
        }}
      />
      {isDraft && (
        <button
          type="button"
          class={style.drawDraft}
          title="What stands here is not drawn yet; Escape goes back to what is"
          onClick={() => accept(text)}
        >
          Draw
        </button>
      )}
      <ul id={`selector-${feed.id}-suggestions`} role="listbox" aria-label="Suggestions" hidden={suggestions.length === 0}>
        {suggestions.map((candidate, index) => (
          <li
            key={candidate}
            id={`selector-${feed.id}-suggestion-${index}`}
            role="option"
            aria-selected={index === active}
            // Before the input loses its focus.
            onMouseDown={(event) => {
              event.preventDefault();
              take(candidate);
            }}
          >
            {candidate}
          </li>
        ))}
      </ul>
    </div>
  );
}

function candidatesFor(database: Database, place: Place): Promise<string[]> {
  switch (place.kind) {
    case "metric":
      return database.labelValues("__name__");
    case "label":
      return database.labelNames(place.metric || undefined).then((names) => names.filter((name) => !place.metric || name !== "__name__"));
    case "value":
      return database.labelValues(place.label, place.metric || undefined);
    case "none":
      return Promise.resolve([]);
  }
}
