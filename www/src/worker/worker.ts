// What runs in the worker: one engine behind messages.

import { type Packed, unpack } from "./append_batch.js";
import { startEngine } from "../engine/start.js";
import type { InlinePort } from "../engine/inline_port.js";
import type { EngineRequest } from "../port/requests.js";
import { type Failure, type Reply, type Request, toError, toFailure } from "./messages.js";
import { ACCEPTED } from "../engine/pump.js";
import { buffersOfSeries, packSeries } from "./series_pack.js";
import { BUILD } from "../base/build_name.js";

/** A worker that was put away stays so long for what the storage still has to do. */
const LAST_WORK_MS = 5_000;

const worker = globalThis as unknown as {
  onmessage: ((message: { data: Request }) => void) | null;
  onmessageerror: (() => void) | null;
  postMessage(reply: Reply, transfer: Transferable[]): void;
  close(): void;
};
let port: InlinePort;
/** For the page's handles of series those of the engine, or why there is none. */
const handles: (number | Failure)[] = [];
/** Answers that have not been sent yet. */
const answering = new Set<Promise<void>>();
/** Appends that the engine has neither taken nor refused yet. */
const arriving = new Set<Promise<void>>();
/** The page has asked for the end. */
let isLeaving = false;
/** Calls that can be given up. */
const underWay = new Map<number, AbortController>();

worker.onmessage = ({ data }) => {
  switch (data.kind) {
    case "start":
      answer(data.id, async () => {
        holdAlive(data.alive);
        port = await startEngine(data.start, undefined, end);
        return port.role;
      });
      break;
    case "series":
      for (const labels of data.labels) handles.push(define(labels));
      break;
    case "append":
      arrive(append(data.id, data.batch).catch(end));
      break;
    case "ask":
      answer(data.id, () => ask(data.id, data.command));
      break;
    case "inspect":
      answer(data.id, async () => {
        await afterAppends();
        return port.inspect();
      });
      break;
    case "cancel":
      underWay.get(data.id)?.abort();
      break;
    case "observe":
      port.observe(data.observed ? (events) => post({ kind: "events", events }) : undefined);
      break;
    case "ping":
      post({ kind: "pong" });
      break;
    case "suspend":
      isLeaving = true;
      void leave();
      break;
    case "close":
      isLeaving = true;
      answer(data.id, async () => {
        const before = [...answering];
        await afterAppends();
        await port.close();
        // The page ends this worker when it learns of that, and has to learn of what came before.
        await Promise.allSettled(before);
      });
      break;
  }
};
worker.onmessageerror = () => end("a message from the page cannot be read");
post({ kind: "hello", build: BUILD });

function post(reply: Reply, transfer: Transferable[] = []): void {
  worker.postMessage(reply, transfer);
}

/** Writes what the page has handed over, lets go of the database, and ends. */
async function leave(): Promise<void> {
  const limit = new Promise<void>((resolve) => setTimeout(resolve, LAST_WORK_MS));
  await Promise.race([afterAppends(), limit]);
  await port.leave(LAST_WORK_MS);
  worker.close();
}

/** The engine has stopped by itself. */
function end(reason: unknown): void {
  if (!isLeaving) post({ kind: "ended", failure: toFailure(reason) });
}

function keep(sent: Promise<void>): void {
  answering.add(sent);
  void sent.finally(() => answering.delete(sent));
}

function arrive(appended: Promise<void>): void {
  keep(appended);
  arriving.add(appended);
  void appended.finally(() => arriving.delete(appended));
}

function answer(id: number, run: () => Promise<unknown>): void {
  keep(outcome(id, run));
}

async function outcome(id: number, run: () => Promise<unknown>): Promise<void> {
  try {
    const value = await run();
    // There may be too little memory to hand it over.
    post({ kind: "answer", id, value, now: port.isOpen ? port.now() : 0 }, buffersOf(value));
  } catch (error) {
    post({ kind: "failed", id, failure: toFailure(error) });
  }
}

async function ask(id: number, command: EngineRequest): Promise<unknown> {
  const control = new AbortController();
  underWay.set(id, control);
  try {
    await afterAppends();
    if (command.kind !== "select") return await port.ask(command, control.signal);
    await port.select(command, control.signal, (piece) => {
      const series = packSeries(piece);
      post({ kind: "piece", id, series }, buffersOfSeries(series));
    });
    return [];
  } finally {
    underWay.delete(id);
  }
}

/** The columns and bytes of an answer. */
function buffersOf(value: unknown): Transferable[] {
  const pieces: unknown[] = Array.isArray(value) ? value : [value];
  return pieces.flatMap((piece) => (ArrayBuffer.isView(piece) ? [piece.buffer as ArrayBuffer] : []));
}

function define(labels: string[]): number | Failure {
  try {
    return port.series(labels);
  } catch (error) {
    return toFailure(error);
  }
}

function handleOf(series: number): number {
  const handle = handles[series]!;
  if (typeof handle === "number") return handle;
  throw toError(handle);
}

async function append(id: number, batch: Packed): Promise<void> {
  let refused: { samples: number; failure: Failure } | undefined;
  const waiting: Promise<void>[] = [];
  const carryOut = (samples: number, call: () => Promise<void>) => {
    const refuse = (error: unknown) => {
      refused ??= { samples: 0, failure: toFailure(error) };
      refused.samples += samples;
    };
    try {
      const accepted = call();
      if (accepted !== ACCEPTED) waiting.push(accepted.catch(refuse));
    } catch (error) {
      refuse(error);
    }
  };
  unpack(
    batch,
    (series, timestamps, values) => carryOut(values.length, () => port.append(handleOf(series), timestamps, values)),
    (series, timestamp, values) =>
      carryOut(values.length, () => {
        const own = series.map(handleOf);
        return port.appendRow((target, from, count) => target.set(own.subarray(from, from + count)), timestamp, values);
      }),
  );
  await Promise.all(waiting);
  post({ kind: "appended", id, refused });
}

/** Appends that came before this call have been taken, or refused, when it goes on: what comes behind them finds them. */
async function afterAppends(): Promise<void> {
  // Not those that come meanwhile: a stream of appends would hold up the rest for ever.
  if (arriving.size > 0) await Promise.allSettled([...arriving]);
}

/** The lock that is free again when this worker is gone, however it went. */
function holdAlive(name: string | undefined): void {
  // A worker of a sandboxed frame has none, though its page has.
  if (name === undefined || navigator.locks === undefined) return;
  void navigator.locks.request(name, () => {
    post({ kind: "alive", name });
    return new Promise(() => {});
  });
}
