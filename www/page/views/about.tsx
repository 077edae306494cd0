import { useRef } from "preact/hooks";
import type { Session } from "../session";
import style from "./about.module.css";

export function About({ session }: { session: Session }) {
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <footer class={style.about}>
      <section id="data" aria-labelledby="data-title">
        <h2 id="data-title">Where the data comes from</h2>
        <p>
          The first scrape is real: what <code>node_exporter</code> 1.5.0 answered on a Linux machine, 783 series, byte for byte as{" "}
          <a href="node_exporter.prom">it came</a>. Everything after it is a <strong>replay</strong> computed in this page from a seed:
          counters go on at the average rate they had since that machine started, gauges walk around the value they had. The first visit
          writes thirty days of it, coarse at first and fine at the end; from then on it is scraped live.
        </p>
      </section>
      <section aria-labelledby="kept-title">
        <h2 id="kept-title">What is kept</h2>
        <p>
          Everything stays in this browser, and nothing is sent anywhere. Samples can be searched and are durable about a second after they
          arrive; a crash can cost that last second, a reload costs nothing. The browser may drop the data of pages that were not visited
          for long.
        </p>
        <p>
          Of a value about 12 to 15 significant decimal digits are kept, since a block has one decimal exponent for all of its values; the
          sign of zero and NaNs other than the staleness marker are not. Files and transactions are those of VictoriaMetrics 1.72: newer
          servers open them and go on in their own way, with a list of parts in one file since 1.90 and an index for each month since 1.133.
        </p>
        <button type="button" class="danger" onClick={() => dialog.current?.showModal()}>
          Start over…
        </button>
      </section>
      <dialog ref={dialog} aria-labelledby="over-title">
        <form method="dialog">
          <h2 id="over-title">Remove the database?</h2>
          <p>All samples and snapshots in this browser are deleted, and the page begins anew with thirty days of replay.</p>
          <div class="actions">
            <button type="submit" autofocus>
              Keep it
            </button>
            <button type="button" class="danger" onClick={() => void session.startOver()}>
              Remove it
            </button>
          </div>
        </form>
      </dialog>
    </footer>
  );
}
