// The queries that were run before, to be run again.

import type { Explorer } from "./explorer";
import style from "./explore.module.css";
import { asked, forget } from "./history";

export function Asked({ explorer }: { explorer: Explorer }) {
  const queries = asked.value;
  return (
    <div class={style.metrics}>
      <p class="note" role="status">
        {queries.length === 0
          ? "Queries that you run are listed here. They stay in this browser."
          : "A click runs a query again. The list stays in this browser."}
      </p>
      {queries.length > 0 && (
        <>
          <ul class={style.asked} tabIndex={0} aria-label="Queries that were run">
            {queries.map(({ expression, dialect }) => (
              <li key={`${dialect} ${expression}`}>
                <button type="button" class={style.link} title={expression} onClick={() => explorer.runAgain(expression, dialect)}>
                  <bdi>{expression}</bdi>
                </button>
                {dialect === "promql" && <span class="hint">PromQL</span>}
              </li>
            ))}
          </ul>
          <div>
            <button type="button" onClick={forget}>
              Forget them
            </button>
          </div>
        </>
      )}
    </div>
  );
}
