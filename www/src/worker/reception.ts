// Where ports of other pages come to work with the engine of this thread.

import { BUILD } from "../base/build_name.js";
import { SandglassError } from "../api/errors.js";
import { type Call, channelOf, channelOfGuest, type Line, lockOfGuest, type Shared } from "./meeting.js";
import { type Desk, Service } from "./service.js";

interface Guest {
  service: Service;
  channel: BroadcastChannel;
  /** Takes back the request for the lock that tells of the guest's end. */
  mourning: AbortController;
}

export class Reception {
  readonly #shared: Shared;
  readonly #term: string;
  readonly #since = Date.now();
  readonly #channel: BroadcastChannel;
  readonly #guests = new Map<string, Guest>();
  #desk: Desk | undefined;
  #isQuiet = false;

  /** `term` names the engine. */
  constructor(shared: Shared, term: string) {
    this.#shared = shared;
    this.#term = term;
    this.#channel = new BroadcastChannel(channelOf(shared));
    this.#channel.onmessage = ({ data }: MessageEvent<Call>) => {
      if (data.kind === "who") this.#say();
      else if (data.kind === "here" && data.since > this.#since) this.#replaced();
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
    this.#post({ kind: "here", term: this.#term, since: this.#since, build: BUILD, isOpen: this.#desk !== undefined });
  }

  #post(call: Call): void {
    this.#channel.postMessage(call);
  }

  #welcome(name: string): void {
    const desk = this.#desk;
    if (desk === undefined || this.#isQuiet) return;
    const known = this.#guests.get(name);
    if (known !== undefined) return known.channel.postMessage({ term: this.#term, isWelcome: true } satisfies Line);
    const channel = new BroadcastChannel(channelOfGuest(this.#shared, name));
    // A message is cloned here, whatever could be transferred.
    const service = new Service(() => desk, (reply) => channel.postMessage({ term: this.#term, reply } satisfies Line), { isRemote: true });
    channel.onmessage = ({ data }: MessageEvent<Line>) => {
      if (data.term === this.#term && "request" in data && !this.#isQuiet) service.take(data.request);
    };
    const mourning = new AbortController();
    this.#guests.set(name, { service, channel, mourning });
    navigator.locks.request(lockOfGuest(name), { signal: mourning.signal }, () => this.#dismiss(name)).catch(() => {});
    channel.postMessage({ term: this.#term, isWelcome: true } satisfies Line);
  }

  #dismiss(name: string): void {
    const guest = this.#guests.get(name);
    this.#guests.delete(name);
    guest?.service.end();
    guest?.channel.close();
    guest?.mourning.abort();
  }

  /** This engine slept so long that another one was started, or the browser has removed what it had open. */
  #replaced(): void {
    const desk = this.#desk;
    this.leave(false);
    desk?.failed(new SandglassError("locked", "another tab has taken the database over, while this one was asleep or had lost its storage; open it again"));
  }

  /** Takes nothing more from guests, and waits for what is under way. */
  async quiet(): Promise<void> {
    this.#isQuiet = true;
    await Promise.all([...this.#guests.values()].map(({ service }) => service.settled()));
  }

  /** Guests need not keep what was taken from them. */
  allDurable(): void {
    for (const { service } of this.#guests.values()) service.allDurable();
  }

  /** Sends all guests away, who look for another engine then. */
  leave(isSafe: boolean): void {
    if (this.#desk === undefined && this.#isQuiet) return;
    this.#isQuiet = true;
    this.#desk = undefined;
    this.#post({ kind: "moving", term: this.#term, isSafe });
    for (const name of [...this.#guests.keys()]) this.#dismiss(name);
    this.#channel.onmessage = null;
    this.#channel.close();
  }
}
