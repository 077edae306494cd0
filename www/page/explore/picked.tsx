// A value of the chart that was chosen, and the way to the sample behind it: Inside shows the part and the block that hold it.

import { useEffect, useState } from "preact/hooks";
import type { Database } from "sandglass";
import type { Unit } from "../model/chart";
import { exactly } from "../model/selector";
import { messageOf } from "../model/trouble";
import { linkToSample } from "../sample/address";
import type { Source } from "./address";
import { instantText, valueText } from "./figures";
import { seriesText } from "./lines";
import style from "./picked.module.css";

export interface PickedValue {
  expression: string;
  labels: Record<string, string>;
  /** Milliseconds. */
  time: number;
  value: number;
  unit: Unit;
  /** It is a sample as it stands, and no query's value of an instant. */
  isSample: boolean;
}

/** The value of a selector at an instant is its last sample before; older ones than this are not looked for. */
const LOOK_BACK_MS = 3600_000;

interface Props {
  picked: PickedValue;
  source: Source;
  database: Database | undefined;
  onClose: () => void;
}

export function Picked({ picked, source, database, onClose }: Props) {
  const { labels, time, value, unit, isSample } = picked;
  /** The time of the sample; 0 while it is looked for, and why there is none. */
  const [found, setFound] = useState<{ at: number; problem: string }>({ at: isSample ? time : 0, problem: "" });
  useEffect(() => {
    if (isSample || !database) return;
    const control = new AbortController();
    sampleBehind(database, picked, control.signal)
      .then((at) =>
        setFound(at === undefined ? { at: 0, problem: "No sample of this series was found within an hour before." } : { at, problem: "" }),
      )
      .catch((error) => {
        if (control.signal.aborted) return;
        const isComputed = (error as { code?: unknown }).code === "invalid";
        setFound({
          at: 0,
          problem: isComputed ? "The query computed this value. Samples lie behind what a selector alone shows." : messageOf(error),
        });
      });
    return () => control.abort();
  }, [picked, database]);
  return (
    <div class={style.picked}>
      <div role="status">
        <span>
          <strong>{valueText(value, unit)}</strong> at {instantText(time)}{" "}
          <bdi class={style.name}>{seriesText(labels, picked.expression)}</bdi>
        </span>
        {found.at !== 0 && (
          <a class="button" href={linkToSample(source, labels, found.at)}>
            Open in Inside
          </a>
        )}
        {found.at !== 0 && found.at !== time && <span class="note">Its sample is of {instantText(found.at)}.</span>}
        {found.problem && <span class="note">{found.problem}</span>}
      </div>
      <button type="button" class="quiet" aria-label="Let go of the value" onClick={onClose}>
        ×
      </button>
    </div>
  );
}

/** The time of the last sample at or before; rejects with the code `invalid` when the expression is no selector. */
async function sampleBehind(
  database: Database,
  { expression, labels, time }: PickedValue,
  signal: AbortSignal,
): Promise<number | undefined> {
  const within = { start: time - LOOK_BACK_MS, end: time, signal };
  await database.labels(expression, within);
  const found = await database.select(exactly(labels), within);
  const key = exactly(labels);
  return found.find((series) => exactly(series.labels) === key)?.timestamps.at(-1);
}
