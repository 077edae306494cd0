import { useState } from "preact/hooks";
import { Lanes } from "../drawing/lanes";
import { bytes, clock, grouped, moment, plural, significant } from "../model/format";
import type { Part } from "../model/parts";
import { CLASS_WORD } from "../model/words";
import { PACES } from "../replay/scraper";
import type { Session } from "../session";
import { Segmented } from "./segmented";
import style from "./engine_card.module.css";
import swatch from "../drawing/stage_swatch.module.css";

export function EngineCard({ session }: { session: Session }) {
  const [pointed, setPointed] = useState<Part | undefined>();
  const running = session.phase.value === "running";
  const busy = session.busy.value;
  const paused = session.paused.value;
  const looksOn = session.looksOn.value;
  return (
    <section class="card" aria-labelledby="engine-title">
      <div class="card-head">
        <div>
          <h2 id="engine-title">How it stores it</h2>
          <p class="hint">
            Each filled box is a part; its height is the logarithm of its bytes.
            {looksOn && " Another tab of this page scrapes, and this one looks on; it goes on with the scrape when that tab is closed."}
          </p>
        </div>
        <div class="controls">
          <button
            type="button"
            disabled={!running || busy.has("flush")}
            onClick={() => void session.flush()}
            title="Raw rows become searchable now"
          >
            Flush
          </button>
          <button
            type="button"
            disabled={!running || busy.has("merge")}
            onClick={() => void session.mergeAll()}
            title="Every month ends with one part"
          >
            Merge all
          </button>
          <Segmented
            label="Scrapes a second"
            choices={PACES.map((pace) => ({ value: pace, name: `${pace}×`, spoken: `${pace}×: ${plural(pace, "scrape")} a second` }))}
            chosen={session.pace.value}
            isOff={looksOn}
            onChoose={(pace) => session.setPace(pace)}
          />
          <button type="button" class={style.pause} disabled={looksOn} aria-pressed={paused} onClick={() => session.setPaused(!paused)}>
            {paused ? "Go on" : "Pause"}
          </button>
        </div>
      </div>
      <div class={style.engine}>
        <div class={style.engineDrawing}>
          <Lanes session={session} pointed={pointed} onPoint={setPointed} />
          <Details session={session} part={pointed} />
        </div>
        <Log session={session} />
      </div>
    </section>
  );
}

function Details({ session, part }: { session: Session; part: Part | undefined }) {
  // It may be merged away while it is looked at.
  session.frame.value;
  return (
    <div class={style.details}>
      {part ? (
        <>
          <p>
            <strong class={swatch.named} data-stage={part.class}>
              {CLASS_WORD[part.class].replace(/^./, (first) => first.toUpperCase())}
            </strong>
            <span>{plural(part.rows, "row")}</span>
            <span>{plural(part.blocks, "block")}</span>
            <span>{bytes(part.bytes)}</span>
            <span>{significant(part.bytes / Math.max(1, part.rows))} bytes a sample</span>
            <span>
              {moment(part.minTimestamp)} – {moment(part.maxTimestamp)}
            </span>
          </p>
          <code>
            {part.name || "in memory, so without a directory"}
            {part.retiredAt !== undefined && " (merged into another part since)"}
          </code>
        </>
      ) : (
        <p class="hint">Choose a part to see what is in it.</p>
      )}
    </div>
  );
}

function Log({ session }: { session: Session }) {
  const lines = session.lines.value;
  return (
    <div class={style.log}>
      <h3 id="log-title">What the engine just did</h3>
      <ol aria-labelledby="log-title" tabIndex={0}>
        {lines.map((line) => (
          <li key={line.sequence} data-stage={line.stage}>
            <time dateTime={new Date(line.time).toISOString()}>{clock(line.time)}</time>
            <span>
              {line.text}
              {line.times !== undefined && `, ${grouped(line.times)} times`}
            </span>
          </li>
        ))}
        {lines.length === 0 && <li class="hint">Nothing yet</li>}
      </ol>
    </div>
  );
}
