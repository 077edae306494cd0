// A history of the engine that the page keeps for showing: a situation, a seed, and what the visitor has done and when. The
// same history gives the same engine on any machine, so an address that holds it is all there is to share.

import { ownIn, ownText } from "./own";

/** What a visitor can do to the engine. */
export const ACTIONS = ["late", "burst", "flushes", "flush", "merge", "snapshot", "ask", "import", "crash", "own"] as const;
export type ActionKind = (typeof ACTIONS)[number];

export interface Action {
  /** Milliseconds since the history began. */
  at: number;
  kind: ActionKind;
  /** The visitor's, which become rows: of `own`, and of nothing else. */
  numbers?: readonly number[];
}

/** What is done, whenever that is. */
export type Doing = Omit<Action, "at">;

export interface History {
  situation: string;
  seed: number;
  /** What the visitor has added to the situation's own course, in order of time. */
  actions: readonly Action[];
}

export const SEED = 7;

/** The rooms in the order of their doors. */
const ROOM_NAMES = ["live", "explore", "open", "inside", "chapters"] as const;
export type RoomName = (typeof ROOM_NAMES)[number];

/** Where a visitor is: what stands behind the # of the address. */
export interface Place {
  room: RoomName;
  history: History;
  /** Milliseconds since the history began. */
  at: number;
  /** Month, part and block that are looked into; fewer for less depth. */
  zoom: readonly string[];
  chapter: string;
  /** Shown within another page: the picture and its controls alone. */
  embedded: boolean;
  /** The address names a room, or a chapter, and nothing of its history. */
  isPlain: boolean;
}

export const HOME: Place = {
  room: "live",
  history: { situation: "steady", seed: SEED, actions: [] },
  at: 0,
  zoom: [],
  chapter: "",
  embedded: false,
  isPlain: true,
};

/** The history with one more action; what came later than it is another future and is gone. */
export function fork(history: History, action: Action): History {
  return { ...history, actions: [...history.actions.filter((other) => other.at <= action.at), action] };
}

/** The longest history that is believed, in milliseconds: an address is written by anybody. */
export const LONGEST_MS = 30 * 60_000;
const MOST_ACTIONS = 64;

/** Why an address cannot hold a history, or nothing when it can. */
export const tooLong = ({ actions }: History): string =>
  actions.length > MOST_ACTIONS || actions.some(({ at }) => at > LONGEST_MS)
    ? `This is not done: an address holds ${MOST_ACTIONS} deeds of the first ${LONGEST_MS / 60_000} minutes. Go back in time, or begin the situation again.`
    : "";

export function placeOf(hash: string): Place {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [room = "", chapter = ""] = path.split("/");
  const parameters = new URLSearchParams(query);
  const actions = (parameters.get("do") ?? "").split(",").flatMap((text): Action[] => {
    const [seconds = "", what = ""] = text.split("~");
    const at = Math.round(Number(seconds) * 1000);
    const doing = doingIn(what);
    return doing && at >= 0 && at <= LONGEST_MS ? [{ at, ...doing }] : [];
  });
  const at = Math.round(Number(parameters.get("at") ?? 0) * 1000);
  const seed = Number(parameters.get("seed") ?? SEED);
  return {
    room: ROOM_NAMES.find((name) => name === room) ?? "live",
    history: {
      situation: parameters.get("s") ?? HOME.history.situation,
      seed: Number.isSafeInteger(seed) && seed >= 0 ? seed : SEED,
      actions: actions.sort((a, b) => a.at - b.at).slice(0, MOST_ACTIONS),
    },
    at: at >= 0 ? Math.min(at, LONGEST_MS) : 0,
    zoom: (parameters.get("zoom") ?? "").split(".").filter(Boolean).slice(0, 3),
    chapter,
    embedded: parameters.has("embed"),
    isPlain: ["s", "seed", "do", "at", "zoom"].every((name) => !parameters.has(name)),
  };
}

function doingIn(text: string): Doing | undefined {
  const [kind, ...texts] = text.split("_");
  const known = ACTIONS.find((other) => other === kind);
  if (known !== "own") return known && texts.length === 0 ? { kind: known } : undefined;
  const numbers = ownIn(texts);
  return numbers.length > 0 ? { kind: known, numbers } : undefined;
}

const doingText = ({ kind, numbers = [] }: Doing): string => `${kind}${ownText(numbers)}`;

export function hashOf({ room, history, at, zoom, chapter, embedded }: Omit<Place, "isPlain">): string {
  if (room === "live") return "#live";
  const parameters: string[] = [`s=${encodeURIComponent(history.situation)}`];
  if (history.seed !== SEED) parameters.push(`seed=${history.seed}`);
  if (history.actions.length > 0)
    parameters.push(`do=${history.actions.map((action) => `${action.at / 1000}~${doingText(action)}`).join(",")}`);
  if (at > 0) parameters.push(`at=${Math.round(at) / 1000}`);
  if (zoom.length > 0) parameters.push(`zoom=${zoom.join(".")}`);
  if (embedded) parameters.push("embed");
  return `#${room === "chapters" && chapter ? `chapters/${chapter}` : room}?${parameters.join("&")}`;
}

/** What of a state depends on the history alone: not on how fast this machine is, nor on what was looked at. */
export function fingerprint(state: object): string {
  const { scheduler: _, memory: __, index, fileSystem, ...rest } = state as Record<string, Record<string, unknown> | null>;
  const { blocks: ___, names: ____, ...steadyIndex } = index ?? {};
  const { readBytes: _____, operations: ______, ...steadyFiles } = fileSystem ?? {};
  const text = JSON.stringify([rest, steadyIndex, steadyFiles]);
  // FNV-1a, twice with different beginnings for 64 bits.
  let low = 0x811c9dc5;
  let high = 0x01000193;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x01000193) + i;
  }
  return [high, low].map((part) => (part >>> 0).toString(16).padStart(8, "0")).join("");
}
