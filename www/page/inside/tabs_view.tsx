// Two tabs on one database: which of them holds the engine, and what came over when it was killed.

import type { EngineState } from "sandglass/inline";
import { plural } from "../model/format";
import type { Crash } from "../model/house";
import { rowsInParts } from "../model/rows";
import { holderAfter } from "../replay/world";
import type { Player } from "./player";
import style from "./tabs_view.module.css";

const NAMES = ["A", "B"] as const;

export function TabsView({ player }: { player: Player }) {
  player.beat.value;
  const holder = holderAfter(player.house.crashes.length);
  const logged = inMemoryRows(player.state.value);
  return (
    <section class={style.tabs} aria-label="The two tabs">
      <ul>
        {NAMES.map((name, tab) => (
          <li key={name} class={tab === holder ? `${style.tab} ${style.holder}` : style.tab}>
            <strong>Tab {name}</strong>
            <span>{tab === holder ? "holds the engine and the lock" : `asks and writes through tab ${NAMES[holder]}`}</span>
            <span class="note">
              writes <code>host-{tab}</code>
            </span>
          </li>
        ))}
      </ul>
      <p class="note">{plural(logged, "row")} in in-memory parts. On disk the log alone has them.</p>
    </section>
  );
}

/** What became of the rows when a tab was killed. */
export function TakenOver({ crash, crashes }: { crash: Crash; crashes: number }) {
  const [next, killed] = [NAMES[holderAfter(crashes)], NAMES[holderAfter(crashes - 1)]];
  return (
    <p>
      <strong>
        Tab {killed} was killed at {(crash.at / 1000).toFixed(1)} s, and tab {next} took over.
      </strong>{" "}
      It opened the same files. The log gave back {plural(crash.loggedRows, "row")} that no part on disk had.{" "}
      {crash.lostRows === 0
        ? `Nothing that tab ${killed} had appended is gone.`
        : `${plural(crash.lostRows, "row")} that tab ${killed} had appended since the log was written last ${crash.lostRows === 1 ? "is" : "are"} gone.`}{" "}
      {crash.sentAgain > 0 && `Tab ${next} had kept its ${plural(crash.sentAgain, "row")} of that moment, and sent them again. `}
      Tab {killed} was loaded again, and works through tab {next} now.
    </p>
  );
}

const inMemoryRows = (state: EngineState | undefined): number =>
  rowsInParts((state?.partitions ?? []).flatMap(({ parts }) => parts.filter((part) => part.class === "inmemory")));
