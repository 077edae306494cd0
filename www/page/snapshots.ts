// The snapshots of the database, and what this browser remembers of their making.

import { signal } from "@preact/signals";
import type { Database, EngineEvent } from "sandglass";
import { recallList, rememberList } from "./remembered";

export interface SnapshotFacts {
  name: string;
  /** Milliseconds since the epoch. */
  createdAt?: number;
  /** Data parts linked. */
  parts?: number;
  /** Bytes of all files linked. */
  bytes?: number;
}

/** Where the facts are kept over a reload; the database itself lists names alone. */
const REMEMBERED = "sandglass.snapshots";

export class Snapshots {
  /** The newest first. */
  readonly list = signal<readonly SnapshotFacts[]>([]);
  #facts = new Map<string, { parts: number; bytes: number }>(remembered());

  async refresh(database: Database): Promise<void> {
    const names = await database.snapshots.list();
    for (const name of this.#facts.keys()) if (!names.includes(name)) this.#facts.delete(name);
    remember(this.#facts);
    this.list.value = names
      .map((name): SnapshotFacts => {
        const createdAt = instantOf(name);
        return { name, ...(createdAt !== undefined && { createdAt }), ...this.#facts.get(name) };
      })
      .sort((a, b) => (a.name < b.name ? 1 : -1));
  }

  take(event: EngineEvent): void {
    if (event.type === "snapshotCreated") this.#facts.set(event.name, { parts: event.parts, bytes: event.linkedBytes });
  }
}

/** A name begins with the instant of its making, in UTC. */
function instantOf(name: string): number | undefined {
  const found = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)-/.exec(name);
  if (!found) return undefined;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = found.slice(1).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

const remembered = () => recallList(REMEMBERED) as [string, { parts: number; bytes: number }][];

const remember = (facts: Map<string, { parts: number; bytes: number }>): void => rememberList(REMEMBERED, [...facts]);
