// A line to the engine of another page.

import type { Request, Reply } from "../worker/messages.js";
import { type Call, channelOfGuest, type Line, lockOfGuest, type Shared } from "../worker/meeting.js";
import type { Wire } from "../worker/wire.js";

/** The other page has so long to welcome a guest, and is asked so often. */
const PAUSE_MS = 250;
const MAX_HELLOS = 20;

/** `guest` names the port, `say` speaks on the channel that all listen to. */
export function guestWire(shared: Shared, term: string, guest: string, say: (call: Call) => void): Wire {
  const channel = new BroadcastChannel(channelOfGuest(shared, guest));
  let take: (reply: Reply) => void = () => {};
  let broken: (what: string) => void = () => {};
  /** What is asked before the welcome; nobody listens till then. */
  let waiting: Request[] | undefined = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let hasEnded = false;
  let letGo = () => {};
  let tellHeard = () => {};
  const heard = new Promise<void>((resolve) => (tellHeard = resolve));
  /** Takes back the request for the lock. */
  const control = new AbortController();

  const post = (request: Request) => channel.postMessage({ term, request } satisfies Line);
  const hello = (left: number) => {
    if (hasEnded || waiting === undefined) return;
    if (left === 0) return broken("does not answer");
    say({ kind: "hello", term, guest });
    timer = setTimeout(() => hello(left - 1), PAUSE_MS);
  };
  channel.onmessage = ({ data }: MessageEvent<Line>) => {
    if (data.term !== term) return;
    if ("reply" in data) return take(data.reply);
    if ("isGone" in data) return channel.postMessage({ term, isGone: "no" } satisfies Line);
    if (!("isWelcome" in data) || waiting === undefined) return;
    const requests = waiting;
    waiting = undefined;
    clearTimeout(timer);
    requests.forEach(post);
    tellHeard();
  };
  channel.onmessageerror = () => broken("has sent what cannot be read");
  // The other page notices by this lock that the guest is gone, so the guest has it before it comes.
  const held = () => {
    hello(MAX_HELLOS);
    return new Promise<void>((resolve) => (hasEnded ? resolve() : (letGo = resolve)));
  };
  navigator.locks
    .request(lockOfGuest(term, guest), { signal: control.signal }, held)
    .catch((reason: unknown) => hasEnded || broken(`can't be reached: ${String(reason)}`));

  return {
    isLocal: false,
    heard,
    post(request) {
      if (hasEnded) return;
      if (waiting === undefined) post(request);
      else waiting.push(request);
    },
    listen: (taker, breaker) => void ([take, broken] = [taker, breaker]),
    end() {
      if (hasEnded) return;
      hasEnded = true;
      clearTimeout(timer);
      channel.onmessage = channel.onmessageerror = null;
      if (waiting === undefined) channel.postMessage({ term, isGone: "yes" } satisfies Line);
      channel.close();
      control.abort();
      letGo();
    },
  };
}
