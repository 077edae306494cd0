import { useRef } from "preact/hooks";
import type { Session } from "../session";

export function About({ session }: { session: Session }) {
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <footer class="about">
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
          Everything stays in this browser, and nothing is sent anywhere. Samples can be searched and are durable about a second after they arrive; a
          crash can cost that last second, a reload costs nothing. The browser may drop the data of pages that were not visited for
          long.
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
