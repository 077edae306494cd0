// The answer of a query as long as a component is there.

import { useEffect, useState } from "react";
import type { Database } from "../api/database.js";
import type { InstantResult, QueryOptions, RangeResult } from "../api/queries.js";
import { follow } from "./follow.js";

/** What all questions have in common. */
export interface Question extends Omit<QueryOptions, "signal"> {
  /** From `useDatabase`, or one that was opened by hand. While there is none, nothing is asked. */
  database: Database | undefined;
  /**
   * After a change of the question the answer to the one before stays until the new one is there, and {@link QueryState.isPending}
   * is true meanwhile. Default `false`: an answer always belongs to the question that stands beside it.
   */
  keepPrevious?: boolean;
}

/** A range that ends now and moves with the clock, see `Database.live`. Durations are texts such as `"1h"`, or milliseconds. */
export interface FollowedRange extends Question {
  /** How far back it reaches. */
  range: number | string;
  step: number | string;
  /** How often it is looked for news at most. Default: the step. */
  every?: number | string;
}

/** A range that stands still: asked once. */
export interface FixedRange extends Question {
  /** Milliseconds since the epoch. */
  start: number;
  /** Milliseconds since the epoch. */
  end: number;
  step: number | string;
}

/** One instant: now, again and again, or one that stands still. */
export interface FollowedInstant extends Question {
  /** Milliseconds since the epoch, asked once. Default: now. */
  time?: number;
  /** How often it is asked anew when `time` is left out: a duration, or milliseconds. Default 1,000; `Infinity` asks once. */
  every?: number | string;
}

/** How far a question is. */
export interface QueryState<Result> {
  /** The newest answer. */
  data: Result | undefined;
  /** Why there was none the last time it was asked. It goes when an answer comes. */
  error: Error | undefined;
  /** Whether neither an answer nor an error is there for the question as it stands. */
  isPending: boolean;
}

interface Answer {
  database: Database;
  question: string;
  data: RangeResult | InstantResult | undefined;
  error: Error | undefined;
}

/**
 * The answer of an expression in MetricsQL or PromQL, which is new whenever it has changed: over a range that moves with the clock
 * (`range` and `step`), over one that stands still (`start`, `end`, `step`), or at one instant.
 *
 * @example
 * ```tsx
 * function Mean({ database }: { database: Database }) {
 *   const { data, error } = useQuery("avg(temperature)", { database, range: "1h", step: "10s" });
 *   return <p>{error?.message ?? data?.series[0]?.values.at(-1)}</p>;
 * }
 * ```
 */
export function useQuery(expression: string, options: FollowedRange | FixedRange): QueryState<RangeResult>;
export function useQuery(expression: string, options: FollowedInstant): QueryState<InstantResult>;
export function useQuery(
  expression: string,
  options: FollowedRange | FixedRange | FollowedInstant,
): QueryState<RangeResult> | QueryState<InstantResult> {
  const { database, keepPrevious = false, ...asked } = options;
  // Options are texts and numbers alone, so that equal questions have equal texts.
  const question = JSON.stringify([expression, ...Object.entries(asked).map(([name, value]) => `${name} ${String(value)}`)]);
  const [answer, setAnswer] = useState<Answer>();
  // biome-ignore lint/correctness/useExhaustiveDependencies: `question` stands for the expression and all that is asked.
  useEffect(() => {
    if (database === undefined) return;
    return follow(
      database,
      expression,
      asked,
      (data) => setAnswer({ database, question, data, error: undefined }),
      // An answer stays beside the error that came after it.
      (error) => setAnswer((last) => ({ database, question, data: last?.question === question ? last.data : undefined, error })),
    );
  }, [database, question]);
  const isAnswered = answer !== undefined && answer.database === database && answer.question === question;
  const shown = isAnswered || keepPrevious ? answer : undefined;
  return { data: shown?.data, error: isAnswered ? answer.error : undefined, isPending: !isAnswered } as
    | QueryState<RangeResult>
    | QueryState<InstantResult>;
}
