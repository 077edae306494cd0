// A chart of a selector, and below it the value that was chosen in it, with the way to the sample behind.

import type { ReadonlySignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Database } from "sandglass";
import type { ChartFeed } from "../chart_feed";
import { Chart, type Chosen } from "../drawing/chart";
import type { Source } from "../explore/address";
import { Picked, type PickedValue } from "../explore/picked";

interface Props {
  feed: ChartFeed;
  source: Source;
  database: ReadonlySignal<Database | undefined>;
  nothing?: ComponentChildren;
}

export function PickableChart({ feed, source, database, nothing }: Props) {
  const [picked, setPicked] = useState<PickedValue | undefined>();
  const selector = feed.selector.value;
  const open = database.value;
  // What is shown is something else by then.
  useEffect(() => setPicked(undefined), [selector, feed.rate.value, feed.fixed.value, open]);
  const pick = ({ labels, time, value, drawn: { unit, rate } }: Chosen) =>
    setPicked({ expression: rate ? `rate(${selector})` : selector, labels, time, value, unit, isSample: !rate });
  return (
    <>
      <Chart feed={feed} nothing={nothing} onPick={pick} />
      {picked && (
        <Picked key={JSON.stringify(picked)} picked={picked} source={source} database={open} onClose={() => setPicked(undefined)} />
      )}
    </>
  );
}
