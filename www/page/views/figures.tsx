import { bytes, clock, duration, grouped, perSample, plural } from "../model/format";
import { totalsOf } from "../model/totals";
import { hasLog, type Session } from "../session";
import style from "./figures.module.css";

/** Rows that were accepted less than this ago count as on their way; older ones are named. With a log, and without one. */
const USUAL_MS = { logged: 2_000, unlogged: 11_000 };

/** In the names that browsers' own tools have for them. */
const WHERE = { opfs: "in OPFS", indexeddb: "in IndexedDB", memory: "in memory only" } as const;

/** The state in one line: how much there is, how small it is, where it lies and since when it is safe. */
export function Figures({ session }: { session: Session }) {
  session.frame.value;
  const state = session.state.value;
  // Until the engine says how it was opened it is taken to be as most are.
  const isLogged = state === undefined || hasLog(state);
  const totals = totalsOf(session.model, isLogged);
  const filling = session.filling.value;
  const storage = session.storage.value;
  const inMemory = storage === "memory";
  // While those that were there at the start are being counted, the engine does not say; and it is asked once a second, so that
  // the first samples can be known before their series are.
  const counted = state?.index?.series == null ? undefined : state.index.series - state.index.deletedSeries;
  const series = counted === 0 && totals.rows > 0 ? undefined : counted;
  const now = state?.now ?? 0;
  const safe = totals.unsafeSince === 0 ? now : totals.unsafeSince;
  const usual = isLogged ? USUAL_MS.logged : USUAL_MS.unlogged;
  return (
    <dl class={style.figures} aria-label="State of the database">
      <Figure
        name="samples"
        value={state ? grouped(totals.rows) : "–"}
        note={
          filling
            ? `writing 30 days of history, ${Math.floor((100 * filling.done) / filling.total)} %`
            : `in ${plural(totals.parts, "part")}`
        }
      />
      <Figure name="series" value={series === undefined ? "–" : grouped(series)} note="one machine, scraped" />
      <Figure
        name="bytes a sample"
        value={totals.partRows > 0 ? perSample(totals.partBytes / totals.partRows) : "–"}
        note="16 uncompressed"
      />
      <Figure
        name={WHERE[storage ?? "opfs"]}
        value={state ? bytes(inMemory ? totals.partBytes : state.fileSystem.storedBytes) : "–"}
        note={inMemory ? "gone when the tab is closed" : "survives a reload"}
      />
      <Figure
        name={inMemory ? "nothing is kept" : "safe up to"}
        value={!state || inMemory ? "–" : clock(safe)}
        note={now - safe > usual ? `${duration(now - safe)} ago` : isLogged ? "durable within a second" : "durable within 5 to 11 s"}
      />
    </dl>
  );
}

function Figure({ name, value, note }: { name: string; value: string; note: string }) {
  return (
    <div class={style.figure}>
      <dt>{name}</dt>
      <dd class={style.value}>{value}</dd>
      <dd class="note">{note}</dd>
    </div>
  );
}
