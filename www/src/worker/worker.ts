// What runs in the worker: one engine behind messages, for the page that has started it and for those it shares the database with.

import { BUILD } from "../base/build_name.js";
import { sleep } from "../base/timer.js";
import { startEngine } from "../engine/start.js";
import { Audience } from "./audience.js";
import { outlivesPage } from "../base/linger.js";
import { type Reply, type Request, toFailure, UNSURE } from "./messages.js";
import { Reception } from "./reception.js";
import { type Desk, Service } from "./service.js";
import { transactionsEnded, watchTransactions } from "./transactions.js";

/** A worker that was put away, or closed, stays so long for what the storage still has to do. */
const LAST_WORK_MS = 5_000;

const worker = globalThis as unknown as {
  onmessage: ((message: { data: Request }) => void) | null;
  onmessageerror: (() => void) | null;
  postMessage(reply: Reply, transfer: Transferable[]): void;
  close(): void;
};
let desk: Desk | undefined;
let reception: Reception | undefined;
/** The page has asked for the end. */
let isLeaving = false;
const own = new Service(() => desk!, post, { isRemote: false });
/** Of the page's other ports. */
const sessions = new Map<number, Service>();

worker.onmessage = ({ data }) => {
  switch (data.kind) {
    case "start":
      own.answer(data.id, async () => {
        holdAlive(data.alive);
        const { storage, term } = data.start;
        const share = () =>
          (reception =
            term !== undefined && storage.kind !== "memory" && storage.kind !== "archive" ? new Reception(storage, term) : undefined);
        try {
          const port = await startEngine(data.start, undefined, end, share, () => reception?.stolen());
          desk = { port, audience: new Audience(port), failed: end };
          reception?.open(desk);
          return port.role;
        } catch (error) {
          reception?.leave({ isSafe: true, isSettled: true });
          throw error;
        }
      });
      break;
    case "session":
      session(data.session).take(data.request);
      break;
    case "part":
      void sessions
        .get(data.session)
        ?.part()
        .then(() => sessions.delete(data.session));
      break;
    case "suspend":
      isLeaving = true;
      void leave();
      break;
    case "close":
      isLeaving = true;
      own.answer(data.id, async () => {
        const services = [own, ...sessions.values()];
        const before = services.map((service) => service.settled());
        await Promise.all(services.map((service) => service.afterAppends()));
        try {
          await reception?.quiet();
          await desk!.port.close(() => reception?.allDurable());
        } finally {
          reception?.leave({ isSafe: false, isSettled: true });
        }
        // The page ends this worker when it learns of that, and has to learn of what came before.
        await Promise.all(before);
        // Reads that were given up are still under way.
        await transactionsEnded(LAST_WORK_MS);
      });
      break;
    default:
      own.take(data);
  }
};
if (!outlivesPage()) watchTransactions();
worker.onmessageerror = () => end("a message from the page cannot be read");
post({ kind: "hello", build: BUILD }, []);

function post(reply: Reply, transfer: Transferable[]): void {
  worker.postMessage(reply, transfer);
}

/** Tells those who share the database, writes what was handed over, lets go of the database, and ends. */
async function leave(): Promise<void> {
  // The browser may end this worker at any instant. Guests send again what was not stored, and what was not answered: they learn of the end
  // when there is nothing of that.
  reception?.refuse();
  if (desk?.port.storeNow() && reception?.hasArrived) reception.leave({ isSafe: true, isSettled: false });
  const limit = sleep(LAST_WORK_MS);
  const services = [own, ...sessions.values()];
  await Promise.race([Promise.all([...services, reception].map((one) => one?.afterAppends())), limit]);
  await desk?.port.leave(LAST_WORK_MS, () => reception?.leave({ isSafe: true, isSettled: false }));
  reception?.leave(UNSURE);
  await transactionsEnded(LAST_WORK_MS);
  worker.close();
}

function session(session: number): Service {
  let service = sessions.get(session);
  if (service === undefined) {
    service = new Service(
      () => desk!,
      (reply, transfer) => post({ kind: "session", session, reply }, transfer),
      { isRemote: false },
    );
    sessions.set(session, service);
  }
  return service;
}

/** The engine has stopped by itself. */
function end(reason: unknown): void {
  if (isLeaving) return;
  reception?.leave(UNSURE);
  post({ kind: "ended", failure: toFailure(reason) }, []);
}

/** The lock that is free again when this worker is gone, however it went. */
function holdAlive(name: string | undefined): void {
  // A worker of a sandboxed frame has none, though its page has.
  if (name === undefined || navigator.locks === undefined) return;
  void navigator.locks.request(name, () => {
    post({ kind: "alive", name }, []);
    return new Promise(() => {});
  });
}
