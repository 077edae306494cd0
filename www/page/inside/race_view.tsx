// Cost as time: the same select over forty small parts and over one merged part, raced.

import { useEffect, useRef, useState } from "preact/hooks";
import { bytes, grouped, plural, significant } from "../model/format";
import { messageOf } from "../model/trouble";
import { Race, type Runner } from "../replay/race";
import type { Lesson } from "./lesson";
import style from "./race_view.module.css";
import stage from "./lesson_stage.module.css";

/** Both have so long in each turn, and so many turns make a race. */
const TURN_MS = 50;
const TURNS = 16;

export function RaceView({ lesson }: { lesson: Lesson }) {
  const race = useRef<Promise<Race> | undefined>(undefined);
  const left = useRef(false);
  const [known, setKnown] = useState<{ race: Race; turn: number } | undefined>();
  const [problem, setProblem] = useState("");
  const [running, setRunning] = useState(false);
  /** Gives both engines back. One that could not be prepared has none, and has said so. */
  const end = () => {
    void race.current?.then((opened) => opened.close()).catch(() => {});
    race.current = undefined;
  };
  useEffect(
    () => () => {
      left.current = true;
      end();
    },
    [],
  );
  const run = async () => {
    setRunning(true);
    setProblem("");
    try {
      race.current ??= Race.prepare();
      const opened = await race.current;
      for (let turn = 1; turn <= TURNS && !left.current; turn++) {
        await opened.turn(TURN_MS);
        if (left.current) return;
        setKnown({ race: opened, turn });
        await drawn();
      }
      lesson.race.value = { savedBytes: opened.saved, movedBytes: opened.moved.read + opened.moved.written };
    } catch (error) {
      end();
      if (!left.current) setProblem(messageOf(error));
    } finally {
      if (!left.current) setRunning(false);
    }
  };
  const most = Math.max(1, known?.race.small.selects ?? 0, known?.race.merged.selects ?? 0);
  const moved = known ? known.race.moved.read + known.race.moved.written : 0;
  return (
    <section class={stage.lessonStage} aria-labelledby="race-title">
      <div class={stage.stageTitle}>
        <h2 id="race-title">The same select, raced</h2>
        <button type="button" class="primary" disabled={running} onClick={() => void run()}>
          {running ? "Racing…" : known ? "Race on" : "Race"}
        </button>
      </div>
      <Lane name="Forty small parts" runner={known?.race.small} most={most} />
      <Lane name="The same, merged" runner={known?.race.merged} most={most} />
      {known ? (
        <div>
          <p>
            The merge has read {bytes(known.race.moved.read)} and written {bytes(known.race.moved.written)}, fifteen parts at a time. Each
            select saves {bytes(known.race.small.read.bytes - known.race.merged.read.bytes)} of data, headers not counted:{" "}
            <strong>{bytes(known.race.saved)}</strong> of {bytes(moved)} {known.race.saved >= moved ? "are won back." : "so far."}
          </p>
          <div class={style.bar} aria-hidden="true">
            <span style={{ width: `${Math.min(100, (100 * known.race.saved) / moved)}%` }} />
          </div>
        </div>
      ) : (
        <p class="note">12,000 samples of twelve series; the select asks for all thousand of one of them.</p>
      )}
      {problem && (
        <p class="reading problem" role="alert">
          {problem}
        </p>
      )}
    </section>
  );
}

function Lane({ name, runner, most }: { name: string; runner: Runner | undefined; most: number }) {
  const bricks = runner?.parts ?? (name.startsWith("Forty") ? 40 : 1);
  return (
    <div class={style.raceLane} data-race-lane="">
      <strong>{name}</strong>
      <div class={style.raceBricks} aria-hidden="true">
        {Array.from({ length: bricks }, (_, i) => (
          <span key={i} class={bricks === 1 ? style.one : ""} />
        ))}
      </div>
      <div class={style.raceTrack} aria-hidden="true">
        <span class={bricks === 1 ? style.one : ""} style={{ width: `${(100 * (runner?.selects ?? 0)) / most}%` }} />
      </div>
      <p class={style.raceCount}>
        <strong>{grouped(runner?.selects ?? 0)}</strong> selects
      </p>
      <p class="note">
        {runner
          ? `${significant(runner.spentMs / Math.max(1, runner.selects))} ms each: ${plural(runner.read.blocks, "block")} of ${plural(runner.read.parts, "part")}, ${bytes(runner.read.bytes)} for ${grouped(runner.read.samples)} samples; ${bytes(runner.bytes)} on disk`
          : "–"}
      </p>
    </div>
  );
}

/** The browser has drawn what was known. */
const drawn = (): Promise<void> => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
