import { useEffect, useState } from "preact/hooks";
import { kept, refreshKept, removeKept } from "../kept";
import { messageOf } from "../model/trouble";
import { EXAMPLE_ADDRESS, keptAddress, openFiles, openPasted } from "../opening";
import { ChooseFile, ChooseFolder } from "./choose_files";
import style from "./open_room.module.css";
import intro from "./intro.module.css";

/** The room Open while nothing is: the ways in. */
export function OpenRoom() {
  return (
    <>
      <section class={intro.intro} aria-labelledby="open-title">
        <h1 id="open-title">Open a server’s snapshot, or samples of your own</h1>
        <p>
          See its months, parts, blocks and series, down to the bytes, and ask queries of it. This tab alone reads it, and nothing is sent
          anywhere. After a reload it has to be opened again, unless you keep it.
        </p>
      </section>
      <section class="card" aria-labelledby="bring-title">
        <h2 id="bring-title">Bring it</h2>
        <p class="hint">
          Drop it anywhere on this page, or choose it here. Two things can be opened. <strong>A snapshot</strong> of VictoriaMetrics 1.72 to
          1.150 or of Prometheus, or the data directory of a server that is stopped: as a tar (plain, gzip or zstd) or as a folder.{" "}
          <strong>Samples</strong> as text, plain or gzip: Prometheus text, JSON lines, InfluxDB line protocol, Graphite’s plaintext,
          OpenTelemetry metrics as JSON, or a table with a row of names (CSV). What cannot be read is left out, and named.
        </p>
        <div class={`${style.bring} controls`}>
          <ChooseFile onChoose={openFiles} />
          <ChooseFolder onChoose={openFiles} />
          <a class="button" href={EXAMPLE_ADDRESS}>
            Open an example
          </a>
        </div>
      </section>
      <Paste />
      <Kept />
    </>
  );
}

const PASTED = `temperature{room="attic"} 19.5 1768478400000
temperature{room="attic"} 19.75 1768478410000`;

/** Samples that are no file yet. */
function Paste() {
  const [text, setText] = useState("");
  return (
    <section class={`card ${style.paste}`} aria-labelledby="paste-title">
      <h2 id="paste-title">Or paste samples</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void openPasted(text);
        }}
      >
        <label>
          <span class="hidden">Samples, in any of the formats above</span>
          <textarea rows={4} spellcheck={false} placeholder={PASTED} value={text} onInput={(event) => setText(event.currentTarget.value)} />
        </label>
        <div class="controls">
          <button type="submit" disabled={text.trim() === ""}>
            Open them
          </button>
          <button type="button" class="quiet" onClick={() => setText(PASTED)}>
            Use the example
          </button>
        </div>
      </form>
    </section>
  );
}

/** Snapshots that were kept as databases of their own. A second press removes one: nothing brings it back. */
function Kept() {
  const [asked, setAsked] = useState<string | undefined>();
  const [problem, setProblem] = useState("");
  useEffect(() => void refreshKept().catch(() => {}), []);
  const remove = (name: string) => {
    setAsked(undefined);
    setProblem("");
    void removeKept(name).catch((error) => setProblem(messageOf(error)));
  };
  return (
    <section class={`card ${style.kept}`} aria-labelledby="kept-title">
      <h2 id="kept-title">Kept in this browser</h2>
      {kept.value.length === 0 && <p class="hint">None yet. “Keep it” makes what is open a database of this browser, to come back to.</p>}
      <ul>
        {kept.value.map((name) => (
          <li key={name}>
            <a href={keptAddress(name)}>{name}</a>
            <button
              type="button"
              class={name === asked ? "danger" : "quiet"}
              aria-label={name === asked ? `Remove ${name} for good?` : `Remove ${name}`}
              onBlur={() => setAsked(undefined)}
              onClick={() => (name === asked ? remove(name) : setAsked(name))}
            >
              {name === asked ? "Remove for good?" : "Remove"}
            </button>
          </li>
        ))}
      </ul>
      {problem && (
        <p class="reading problem" role="alert">
          {problem}
        </p>
      )}
    </section>
  );
}
