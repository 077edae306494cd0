// All that `db.inspect()` says, as it is: a tree that is opened where one wants to look, and the same as JSON.

import { useState } from "preact/hooks";
import { bytes, duration, grouped, moment, plural } from "../model/format";
import type { Player } from "./player";
import style from "./state_view.module.css";

/** Entries of a list that are shown before somebody asks for all: the tree is built anew a few times a second. */
const SHOWN_AT_FIRST = 50;
/** Fields of a closed entry that stand behind its name. */
const FIELDS_BEHIND = 5;

export function StateView({ player }: { player: Player }) {
  const [copied, setCopied] = useState<{ says: string; json: string }>({ says: "", json: "" });
  player.beat.value;
  const state = player.state.value;
  if (!state) return <p class="note">No engine is there to be asked.</p>;
  const copy = async () => {
    const json = JSON.stringify(state, null, 2);
    try {
      await navigator.clipboard.writeText(json);
      setCopied({ says: `Copied: ${bytes(json.length)} of JSON, of the instant ${moment(state.now)}.`, json: "" });
    } catch {
      setCopied({ says: "The browser does not let this page copy. Here it is, to be copied by hand:", json });
    }
  };
  return (
    <div class={style.state}>
      <div class="controls">
        <button type="button" onClick={() => void copy()}>
          Copy as JSON
        </button>
        <span class="note" role="status">
          {copied.says}
        </span>
      </div>
      {copied.json !== "" && (
        <textarea readOnly rows={6} value={copied.json} aria-label="The state as JSON" onFocus={(event) => event.currentTarget.select()} />
      )}
      <Fields of={state} label="What the engine says of itself" />
    </div>
  );
}

/** The fields of an object, or the entries of a list. */
function Fields({ of, label }: { of: object; label: string }) {
  const [all, setAll] = useState(false);
  const entries = Object.entries(of);
  const shown = all || !Array.isArray(of) ? entries : entries.slice(0, SHOWN_AT_FIRST);
  return (
    <ul class={style.fields} aria-label={label}>
      {shown.map(([name, value]) =>
        isBranch(value) ? (
          <Branch key={keyOf(name, value)} name={name} value={value} path={label} />
        ) : (
          <li key={name} class={style.leaf}>
            <span class={style.name}>{name}</span> <span class={style.value}>{JSON.stringify(value)}</span>{" "}
            <span class="note">{readingOf(name, value)}</span>
          </li>
        ),
      )}
      {shown.length < entries.length && (
        <li>
          <button type="button" class="link" onClick={() => setAll(true)}>
            Show all {grouped(entries.length)}
          </button>
        </li>
      )}
    </ul>
  );
}

/** Nothing of it is built before it is opened. */
function Branch({ name, value, path }: { name: string; value: object; path: string }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <li>
      <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          <span class={style.name}>{name}</span> <span class={style.behind}>{isOpen ? countOf(value) : behind(value)}</span>
        </summary>
        {isOpen && <Fields of={value} label={`${path}, ${name}`} />}
      </details>
    </li>
  );
}

/** What is empty has nothing to be opened for. */
const isBranch = (value: unknown): value is object => typeof value === "object" && value !== null && Object.keys(value).length > 0;

/** A part that is open stays so when another one is put before it. */
function keyOf(name: string, value: object): string {
  const { id, lane } = value as { id?: unknown; lane?: unknown };
  const own = id ?? lane ?? (value as { name?: unknown }).name;
  // Parts in memory have no name.
  return (typeof own === "string" && own !== "") || typeof own === "number" ? `${name.replace(/^\d+$/, "")}=${own}` : name;
}

const countOf = (value: object): string => (Array.isArray(value) ? plural(value.length, "entry", "entries") : "");

/** What a closed one has: how many entries, or its first fields. */
function behind(value: object): string {
  if (Array.isArray(value)) return countOf(value);
  const fields = Object.entries(value).filter(([, field]) => !isBranch(field) && field !== "");
  return fields
    .slice(0, FIELDS_BEHIND)
    .map(([name, field]) => `${name} ${typeof field === "string" ? field : JSON.stringify(field)}`)
    .join(", ");
}

/** Numbers of this size are instants of our time. */
const [FIRST_INSTANT, LAST_INSTANT] = [Date.UTC(2000, 0), Date.UTC(2100, 0)];

/** The same for people, where a number has a unit. */
function readingOf(name: string, value: unknown): string {
  if (typeof value !== "number") return "";
  if (/bytes$/i.test(name) && value >= 1000) return bytes(value);
  if (/Ms$/.test(name) && value >= 1000) return duration(value);
  return value > FIRST_INSTANT && value < LAST_INSTANT ? moment(value) : "";
}
