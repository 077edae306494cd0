// The names of all metrics, to be searched and put into a query.

import { useEffect, useState } from "preact/hooks";
import { grouped } from "../model/format";
import { matching, PLAIN_NAME } from "../model/selector";
import { messageOf } from "../model/trouble";
import type { Explorer } from "./explorer";
import style from "./explore.module.css";

const MOST = 120;

export function Metrics({ explorer }: { explorer: Explorer }) {
  const searched = explorer.view.value.browse ?? "";
  const database = explorer.database.value;
  const [names, setNames] = useState<string[]>();
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let isHere = true;
    database
      ?.labelValues("__name__")
      .then((found) => isHere && setNames(found))
      .catch((error) => isHere && setProblem(messageOf(error)));
    return () => {
      isHere = false;
    };
  }, [database, explorer.shown.value]);
  const found = matching(names ?? [], searched, names?.length ?? 0);
  return (
    <div class={style.metrics}>
      <input
        type="search"
        aria-label="Search the names of metrics"
        placeholder="Search the names of metrics"
        autocomplete="off"
        spellcheck={false}
        value={searched}
        onInput={(event) => explorer.change({ browse: event.currentTarget.value }, "replace")}
      />
      <p class="note" role="status">
        {problem ||
          (names
            ? `${grouped(found.length)} of ${grouped(names.length)} metrics${found.length > MOST ? `, the first ${MOST} are listed` : ""}. A click writes one into the query.`
            : "Asking for the names")}
      </p>
      <ul tabIndex={0} aria-label="Metrics">
        {found.slice(0, MOST).map((name) => (
          <li key={name}>
            <button
              type="button"
              class={style.link}
              title={name}
              onClick={() => explorer.insert(PLAIN_NAME.test(name) ? name : `{${JSON.stringify(name)}}`)}
            >
              <bdi>{name}</bdi>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
