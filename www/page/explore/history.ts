// The queries that were run in this browser, the last one first.

import { signal } from "@preact/signals";
import type { Dialect } from "sandglass";
import { recallList, rememberList } from "../remembered";

export interface Asked {
  expression: string;
  dialect: Dialect;
}

const REMEMBERED = "sandglass: queries";
const MOST = 50;
/** A longer one is hardly looked for again, and all of them lie in one text. */
const MOST_CHARACTERS = 4000;

const isAsked = (found: unknown): found is Asked => {
  const { expression, dialect } = (found ?? {}) as Partial<Asked>;
  return typeof expression === "string" && (dialect === "metricsql" || dialect === "promql");
};

/** With what was run now in front, and each query once. */
export function withNew(before: readonly Asked[], now: readonly Asked[]): Asked[] {
  const wanted = now.filter(({ expression }) => expression !== "" && expression.length <= MOST_CHARACTERS);
  const all = [...wanted, ...before];
  const isFirst = ({ expression, dialect }: Asked, at: number) =>
    all.findIndex((other) => other.expression === expression && other.dialect === dialect) === at;
  return all.filter(isFirst).slice(0, MOST);
}

const remembered = (): Asked[] => recallList(REMEMBERED).filter(isAsked).slice(0, MOST);

export const asked = signal<readonly Asked[]>(remembered());

function keep(queries: readonly Asked[]): void {
  asked.value = queries;
  rememberList(REMEMBERED, queries);
}

/** Takes down what was run, here and in other tabs. */
export const remember = (now: readonly Asked[]): void => keep(withNew(remembered(), now));

export const forget = (): void => keep([]);
