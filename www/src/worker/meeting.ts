// How pages that share a database find each other: names of channels and locks, and what is said on the channel that all listen to.

import { lockName } from "../storage/lock.js";
import type { Reply, Request } from "./messages.js";

/** A database that can be shared. */
export interface Shared {
  kind: "indexeddb" | "opfs";
  name: string;
}

/** On the channel of the database. `term` names one engine from its start to its end. */
export type Call =
  /** Who looks for the engine. */
  | { kind: "who" }
  /** Who has it, and since when; before it `isOpen` it can't be worked with. */
  | { kind: "here"; term: string; since: number; build: string; isOpen: boolean }
  /** A port that wants to work with this engine listens on a channel of its own. */
  | { kind: "hello"; term: string; guest: string };

/** On the channel of one port; of another engine nothing is taken. */
export type Line = { term: string } & (
  | { request: Request }
  | { reply: Reply }
  | { isWelcome: true }
  /** The port seems to be gone, and is asked to deny that. */
  | { isGone: "is it?" | "no" | "yes" }
);

export const channelOf = ({ name, kind }: Shared): string => `sandglass share ${lockName(name, kind)}`;
export const channelOfGuest = (shared: Shared, guest: string): string => `${channelOf(shared)} ${guest}`;
/** Held by a port for as long as it works with this engine of another page. An engine that sleeps waits for it, and must not get that of the next. */
export const lockOfGuest = (term: string, guest: string): string => `sandglass guest ${guest} of ${term}`;
/** Held by the page that gets the database next. */
export const lockOfNext = ({ name, kind }: Shared): string => `next of ${lockName(name, kind)}`;
