import type { ChartFeed } from "./chart_feed";
import type { Session } from "./session";
import { About } from "./views/about";
import { ChartCard } from "./views/chart_card";
import { EngineCard } from "./views/engine_card";
import { Figures } from "./views/figures";
import { Header } from "./views/header";
import { SnapshotCard } from "./views/snapshot_card";
import { TroubleCard } from "./views/trouble_card";

export function App({ session, feed }: { session: Session; feed: ChartFeed }) {
  // A database that could not be opened has nothing to show.
  const opened = session.trouble.value === undefined || session.state.value !== undefined;
  return (
    <>
      <Header />
      <main id="content">
        <section class="intro" aria-labelledby="headline">
          <h1 id="headline">VictoriaMetrics’ storage engine, rebuilt to run in this tab.</h1>
          <p>
            Sandglass takes in samples, packs them into parts and merges the parts on its own clock, just as the server does, in the
            server’s own file format. No server is behind this page: take a snapshot, and a real one opens it.
          </p>
        </section>
        <TroubleCard session={session} />
        {opened && (
          <>
            <Figures session={session} />
            <ChartCard session={session} feed={feed} />
            <EngineCard session={session} />
            <SnapshotCard session={session} />
          </>
        )}
        <About session={session} />
      </main>
    </>
  );
}
