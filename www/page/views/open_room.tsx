import { useEffect, useState } from "preact/hooks";
import { kept, refreshKept, removeKept } from "../kept";
import { messageOf } from "../model/trouble";
import { EXAMPLE_ADDRESS, keptAddress, openFiles } from "../opening";
import { ChooseFolder, ChooseTar } from "./choose_files";

/** The room Open while nothing is: the ways in. */
export function OpenRoom() {
  return (
    <>
      <section class="intro" aria-labelledby="open-title">
        <h1 id="open-title">Open a server’s snapshot</h1>
        <p>
          See its months, parts, blocks and series, down to the bytes, and ask it anything. It is read in this tab’s memory, and nothing is sent:
          a reload, or another tab, has to open it again.
        </p>
      </section>
      <section class="card" aria-labelledby="bring-title">
        <h2 id="bring-title">Bring it</h2>
        <p class="hint">
          Drop it anywhere on this page, or choose it: a snapshot or a stopped data directory of VictoriaMetrics 1.72 to 1.150, as a tar
          (plain, gzip or zstd) or as its folder. What is broken in it is left out and named.
        </p>
        <div class="bring controls">
          <ChooseTar onChoose={openFiles} />
          <ChooseFolder onChoose={openFiles} />
          <a class="button" href={EXAMPLE_ADDRESS}>
            Open an example
          </a>
        </div>
      </section>
      <Kept />
    </>
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
    <section class="card kept" aria-labelledby="kept-title">
      <h2 id="kept-title">Kept in this browser</h2>
      {kept.value.length === 0 && <p class="hint">None yet. A snapshot that is open can be kept: it becomes a database of its own, to come back to.</p>}
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
