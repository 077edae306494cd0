// What was done for the answers, as a tree: each step below the one that needed it.

import type { QueryTrace } from "sandglass";
import { bytes, many, plural, significant } from "../model/format";
import type { Answer } from "./explorer";
import style from "./explore.module.css";
import { letter } from "./lines";

/** Levels that are moved to the right; those below stand under one another. */
const INDENTED = 8;

const SAYS: Record<QueryTrace["kind"], string> = {
  query: "Query",
  parse: "Read the expression",
  flush: "Make searchable what waits",
  expression: "Compute",
  find: "Find the series of",
  read: "Read their samples",
  roll: "Roll windows:",
  finish: "Put in order",
};

export function Traces({ answers, isRaw }: { answers: readonly (Answer | undefined)[]; isRaw: boolean }) {
  const traced = answers.flatMap((answer, query) => {
    const trace = answer?.range?.trace ?? answer?.instant?.trace;
    return trace ? [{ trace, query }] : [];
  });
  if (isRaw) return <p class="note">Raw samples are read as they are stored: there is nothing to trace.</p>;
  return (
    <>
      {traced.map(({ trace, query }) => (
        <ul key={query} class={style.trace} aria-label={`Steps of ${letter(query)}`}>
          <Step step={trace} wholeMs={trace.milliseconds} level={0} />
        </ul>
      ))}
    </>
  );
}

function Step({ step, wholeMs, level }: { step: QueryTrace; wholeMs: number; level: number }) {
  const share = wholeMs > 0 ? Math.min(1, step.milliseconds / wholeMs) : 0;
  const line = (
    <span class={style.traced}>
      <span class={style.share} style={{ width: `${share * 100}%` }} aria-hidden="true" />
      <span class={style.what}>
        {SAYS[step.kind]}
        {step.text !== "" && (
          <>
            {" "}
            <code>
              <bdi>{step.text}</bdi>
            </code>
          </>
        )}
      </span>
      <span class={style.made}>{figuresOf(step)}</span>
      <span class={style.took}>{significant(Math.round(step.milliseconds * 1000) / 1000)} ms</span>
    </span>
  );
  if (step.children.length === 0) return <li data-step={step.kind}>{line}</li>;
  return (
    <li data-step={step.kind}>
      <details open>
        <summary>{line}</summary>
        <ul data-indented={level < INDENTED ? "" : undefined}>
          {step.children.map((child, at) => (
            <Step key={at} step={child} wholeMs={wholeMs} level={level + 1} />
          ))}
        </ul>
      </details>
    </li>
  );
}

/** What a step has read or made. */
function figuresOf({ series, parts, blocks, bytes: read, samples, rows, points }: QueryTrace): string {
  const made = [
    series !== undefined && plural(series, "series", "series"),
    parts !== undefined && plural(parts, "part"),
    blocks !== undefined && plural(blocks, "block"),
    read !== undefined && bytes(read),
    samples !== undefined && many(samples, "sample"),
    rows !== undefined && `${plural(rows, "row")}${points !== undefined && points > 1 ? ` of ${plural(points, "instant")}` : ""}`,
  ];
  return made.filter(Boolean).join(", ");
}
