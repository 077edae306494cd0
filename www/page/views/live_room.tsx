import type { Charts } from "../charts";
import type { Session } from "../session";
import { About } from "./about";
import { ChartCard } from "./chart_card";
import { EngineCard } from "./engine_card";
import { Figures } from "./figures";
import { SnapshotCard } from "./snapshot_card";
import { StorageCard } from "./storage_card";
import { TroubleCard } from "./trouble_card";
import intro from "./intro.module.css";

/** The room Live: a machine that is scraped now, and a database that stays. */
export function LiveRoom({ session, charts }: { session: Session; charts: Charts }) {
  // A database that could not be opened has nothing to show.
  const opened = session.trouble.value === undefined || session.state.value !== undefined;
  return (
    <>
      <section class={intro.intro} aria-labelledby="headline">
        <h1 id="headline">VictoriaMetrics’ storage engine, rebuilt to run in this tab.</h1>
        <p>
          Sandglass takes in samples, packs them into parts and merges the parts on its own clock, with the files and the transactions of
          VictoriaMetrics 1.72. No server is behind this page: take a snapshot, and a real one opens it, of that version or newer.
        </p>
        <p>
          New here? <a href="docs/guides/tour.html">A tour in twenty minutes</a> leads through the rooms.
        </p>
      </section>
      <TroubleCard session={session} />
      {opened && (
        <>
          <Figures session={session} />
          {charts.list.value.map((feed, index) => (
            <ChartCard key={feed.id} session={session} charts={charts} feed={feed} index={index} />
          ))}
          <EngineCard session={session} />
          <SnapshotCard session={session} />
          <StorageCard session={session} />
        </>
      )}
      <About session={session} />
    </>
  );
}
