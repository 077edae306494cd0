// An engine of this page, and the lines that lead to it.

import type { EngineStart } from "../engine/start.js";
import { startEngine } from "../engine/start.js";
import type { SandglassError } from "../api/errors.js";
import type { Opened } from "../api/options.js";
import type { Port } from "../port/port.js";
import { Audience } from "./audience.js";
import { type Reply, UNSURE } from "./messages.js";
import { Reception } from "./reception.js";
import { type Desk, Service } from "./service.js";
import type { WorkerPort } from "./worker_port.js";
import type { Wire } from "./wire.js";

export interface LocalEngine {
  /** For who has it alone. */
  readonly port: Port;
  readonly thread: Opened["thread"];
  /** One more line. */
  connect(): Wire;
  /** The browser puts the page away. */
  suspend(): void;
  /** It is of no use any more. */
  abandon(reason: SandglassError): void;
  close(): Promise<void>;
}

/** Behind messages. */
export function engineInWorker(port: WorkerPort): LocalEngine {
  return {
    port,
    thread: "worker",
    connect: () => port.connect(),
    suspend: () => port.suspend(),
    abandon: (reason) => port.end(reason),
    close: () => port.close(),
  };
}

/** In this thread. */
export async function engineInCaller(start: EngineStart, signal: AbortSignal | undefined): Promise<LocalEngine> {
  const { storage, term } = start;
  let reception: Reception | undefined;
  let isClosing = false;
  const acquired = () => {
    if (term !== undefined && storage.kind !== "memory" && storage.kind !== "archive") reception = new Reception(storage, term);
  };
  try {
    const port = await startEngine(
      start,
      signal,
      () => isClosing || reception?.leave(UNSURE),
      acquired,
      () => reception?.stolen(),
    );
    const failed = (reason: unknown) => port.lose(reason as SandglassError);
    const desk: Desk = { port, audience: new Audience(port), failed };
    reception?.open(desk);
    const services = new Set<Service>();
    return {
      port,
      thread: "caller",
      connect: () => loopback(desk, services),
      suspend() {
        reception?.refuse();
        port.suspend((isAll) => reception?.leave({ isSafe: isAll, isSettled: false }));
        reception?.leave(UNSURE);
      },
      abandon: (reason) => port.lose(reason),
      async close() {
        isClosing = true;
        await Promise.all([...services].map((service) => service.afterAppends()));
        try {
          await reception?.quiet();
          await port.close(() => reception?.allDurable());
        } finally {
          reception?.leave({ isSafe: false, isSettled: true });
        }
      },
    };
  } catch (error) {
    reception?.leave({ isSafe: true, isSettled: true });
    throw error;
  }
}

/** A line within the thread: what is sent is taken at once, so that a page that goes away has handed over all. */
function loopback(desk: Desk, services: Set<Service>): Wire {
  let take: (reply: Reply) => void = () => {};
  const service = new Service(
    () => desk,
    (reply) => take(reply),
    { isRemote: false },
  );
  services.add(service);
  return {
    isLocal: true,
    heard: Promise.resolve(),
    post: (request) => service.take(request),
    listen: (listener) => void (take = listener),
    end: () => {
      take = () => {};
      void service.part().then(() => services.delete(service));
    },
  };
}
