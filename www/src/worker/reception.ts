// Where ports of other pages come to work with the engine of this thread.

import { BUILD } from "../base/build_name.js";
import { SandglassError } from "../api/errors.js";
import { type Call, channelOf, channelOfGuest, type Line, lockOfGuest, type Shared } from "./meeting.js";
import { isInOpfs, REMOVED } from "../storage/opfs.js";
import { type Parting, type Reply, UNSURE } from "./messages.js";
import { type Desk, Service } from "./service.js";
import { Taken } from "./taken.js";

interface Guest {
  service: Service;
  channel: BroadcastChannel;
  /** Takes back the request for the lock that tells of the guest's end. */
  mourning: AbortController;
  /** Whether anything was heard since the guest was asked last. */
  hasAnswered: boolean;
  /** How many questions have had no answer. */
  unanswered: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** A guest that seems to be gone is asked so often, and has so long to answer each time. */
const ASKS = 2;
const ANSWER_MS = 2_000;

export class Reception {
  readonly #shared: Shared;
  readonly #term: string;
  readonly #since = Date.now();
  readonly #channel: BroadcastChannel;
  readonly #guests = new Map<string, Guest>();
  /** Of each guest, should it go and come again, and send once more what was taken. */
  readonly #taken = new Map<string, Taken>();
  #desk: Desk | undefined;
  #isQuiet = false;

  /** `term` names the engine. */
  constructor(shared: Shared, term: string) {
    this.#shared = shared;
    this.#term = term;
    this.#channel = new BroadcastChannel(channelOf(shared));
    this.#channel.onmessage = ({ data }: MessageEvent<Call>) => {
      if (data.kind === "who") this.#say();
      // One that only has the lock may still find that the files are this engine's.
      else if (data.kind === "here" && data.isOpen && data.since > this.#since) this.#replaced();
      else if (data.kind === "hello" && data.term === this.#term) this.#welcome(data.guest);
    };
    this.#say();
  }

  /** The engine can be worked with from now on. */
  open(desk: Desk): void {
    this.#desk = desk;
    this.#say();
  }

  #say(): void {
    if (this.#isQuiet) return;
    const [term, since, isOpen] = [this.#term, this.#since, this.#desk !== undefined];
    this.#channel.postMessage({ kind: "here", term, since, build: BUILD, isOpen } satisfies Call);
  }

  #welcome(name: string): void {
    const desk = this.#desk;
    if (desk === undefined || this.#isQuiet) return;
    const known = this.#guests.get(name);
    if (known !== undefined) return known.channel.postMessage({ term: this.#term, isWelcome: true } satisfies Line);
    const channel = new BroadcastChannel(channelOfGuest(this.#shared, name));
    // A message is cloned here, whatever could be transferred.
    const post = (reply: Reply) => channel.postMessage({ term: this.#term, reply } satisfies Line);
    const taken = this.#taken.get(name) ?? new Taken();
    this.#taken.set(name, taken);
    const service = new Service(() => desk, post, { isRemote: true, taken, verify: () => this.#verify() });
    channel.onmessage = ({ data }: MessageEvent<Line>) => {
      if (data.term !== this.#term) return;
      guest.hasAnswered = true;
      if ("isGone" in data && data.isGone === "yes") this.#dismiss(name);
      else if ("request" in data && !this.#isQuiet) service.take(data.request);
    };
    const mourning = new AbortController();
    const guest: Guest = { service, channel, mourning, hasAnswered: false, unanswered: 0, timer: undefined };
    this.#guests.set(name, guest);
    navigator.locks.request(lockOfGuest(this.#term, name), { signal: mourning.signal }, () => this.#suspect(name)).catch(() => {});
    channel.postMessage({ term: this.#term, isWelcome: true } satisfies Line);
  }

  /** The guest's lock is free, so the guest has gone; or the site's data were cleared, and its locks are not those of this page. */
  #suspect(name: string): void {
    const guest = this.#guests.get(name);
    if (guest === undefined) return;
    guest.unanswered = guest.hasAnswered ? 0 : guest.unanswered + 1;
    if (guest.unanswered > ASKS) return this.#dismiss(name);
    guest.hasAnswered = false;
    guest.channel.postMessage({ term: this.#term, isGone: "is it?" } satisfies Line);
    guest.timer = setTimeout(() => this.#suspect(name), ANSWER_MS);
  }

  #dismiss(name: string): void {
    const guest = this.#guests.get(name);
    this.#guests.delete(name);
    if (guest === undefined) return;
    clearTimeout(guest.timer);
    guest.service.end();
    guest.channel.close();
    guest.mourning.abort();
  }

  /** Another page has taken the lock away. Files that are open nobody else can have; in IndexedDB the next write tells this engine. */
  stolen(): void {
    if (this.#shared.kind === "indexeddb") this.leave(UNSURE);
  }

  /** Another engine was started, since this one slept or the browser has removed what it had open, which open files do not tell. */
  #replaced(): void {
    const desk = this.#desk;
    this.leave(UNSURE);
    if (this.#shared.kind === "opfs")
      desk?.failed(
        new SandglassError(
          "locked",
          "another tab has taken the database over, while this one was asleep or had lost its storage; open it again",
        ),
      );
  }

  /** Guests whose engine has lost its files look for another one, and ask that. */
  async #verify(): Promise<void> {
    if (this.#shared.kind !== "opfs" || (await isInOpfs(this.#shared.name))) return;
    const desk = this.#desk;
    this.leave(UNSURE);
    desk?.failed(new SandglassError("closed", REMOVED));
  }

  /** Takes nothing more from guests. */
  refuse(): void {
    this.#isQuiet = true;
  }

  /** Whether the engine has taken or refused all that has come from guests. */
  get hasArrived(): boolean {
    return [...this.#guests.values()].every(({ service }) => !service.isArriving);
  }

  async afterAppends(): Promise<void> {
    await Promise.all([...this.#guests.values()].map(({ service }) => service.afterAppends()));
  }

  /** Takes nothing more from guests, and waits for what is under way. */
  async quiet(): Promise<void> {
    this.refuse();
    await Promise.all([...this.#guests.values()].map(({ service }) => service.settled()));
  }

  /** The engine has stored all that it had taken, and ends: guests need keep nothing of that. */
  allDurable(): void {
    for (const { service } of this.#guests.values()) service.allDurable();
    this.leave({ isSafe: true, isSettled: true });
  }

  /** Sends all guests away, who look for another engine then. */
  leave(parting: Parting): void {
    if (this.#desk === undefined && this.#isQuiet) return;
    this.#isQuiet = true;
    this.#desk = undefined;
    for (const [name, { channel }] of [...this.#guests]) {
      // On the guest's own channel, behind all that it has to know.
      channel.postMessage({ term: this.#term, reply: { kind: "moving", parting } } satisfies Line);
      this.#dismiss(name);
    }
    this.#channel.onmessage = null;
    this.#channel.close();
  }
}
