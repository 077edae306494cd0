// To keep a snapshot: it becomes a database of its own in this browser, to come back to.

import { useState } from "preact/hooks";
import { bytes, plural } from "../model/format";
import { messageOf } from "../model/trouble";
import { keepAs } from "../kept";
import type { OpenedSnapshot } from "./opened";
import style from "./keep.module.css";

const WHERE = {
  opfs: "in the origin private file system",
  indexeddb: "in IndexedDB",
  memory: "in memory alone: this browser keeps nothing",
} as const;

export function Keep({ snapshot, fill }: { snapshot: OpenedSnapshot; fill: NonNullable<OpenedSnapshot["fill"]> }) {
  const [name, setName] = useState(snapshot.name.replace(/(\.(tar|gz|zst|tgz|txt|prom|om|csv|jsonl?|lp))+$/, ""));
  const [state, setState] = useState<{ doing: string; problem: string; kept: string }>({ doing: "", problem: "", kept: "" });
  const keep = async () => {
    const wanted = name.trim();
    setState({ doing: "Opening…", problem: "", kept: "" });
    try {
      const told = await keepAs(wanted, async (database) => {
        const { samples } = await fill(database, ({ done, total }) =>
          setState({ doing: `${bytes(done)} of ${bytes(total)}`, problem: "", kept: "" }),
        );
        return `Kept as “${wanted}”: ${plural(samples, "sample")} ${WHERE[database.storage]}.`;
      });
      setState({ doing: "", problem: "", kept: told });
    } catch (error) {
      setState({ doing: "", problem: messageOf(error), kept: "" });
    }
  };
  return (
    <section class="card" aria-labelledby="keep-title">
      <div class="card-head">
        <div>
          <h2 id="keep-title">Keep it</h2>
          <p class="hint">A copy of it becomes a database of this browser. The room Open lists it, and opens it again after a reload.</p>
        </div>
        <form
          class="controls"
          onSubmit={(event) => {
            event.preventDefault();
            void keep();
          }}
        >
          <label class={style.keepName}>
            Name <input type="text" required value={name} onInput={(event) => setName(event.currentTarget.value)} />
          </label>
          <button type="submit" class="primary" disabled={state.doing !== ""}>
            {state.doing || "Keep it"}
          </button>
        </form>
      </div>
      {state.problem && (
        <p class="reading problem" role="alert">
          {state.problem}
        </p>
      )}
      <p class="reading" role="status">
        {state.kept}
      </p>
    </section>
  );
}
