// The call path: which step of a sample's walk was taken, how often, and where it is in the code.

import { grouped } from "../model/format";
import { CallPath } from "./call_path_view";
import type { Player } from "./player";
import { SOURCES, STEPS } from "./steps";
import style from "./pipeline.module.css";

/** A step is lit for so long, in milliseconds of the visitor's time. */
const LIT_MS = 450;

export function Pipeline({ player }: { player: Player }) {
  player.beat.value;
  const at = player.at.peek();
  const lit = LIT_MS * Math.max(0.2, Math.min(player.playback.speed.value, 4));
  return (
    <section class={`card ${style.pipeline}`} aria-labelledby="pipeline-title">
      <h2 id="pipeline-title">The call path</h2>
      <p class="hint">From the request to a block’s bytes. The step that runs is lit; each name leads to the file that does it.</p>
      <table>
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col">What happens</th>
            <th scope="col">Where</th>
            <th scope="col" class={style.number}>
              Times
            </th>
          </tr>
        </thead>
        <tbody>
          {STEPS.map(({ name, what, says, file, fn }) => {
            const count = player.house.steps.get(name);
            const isLit = count !== undefined && at - count.last <= lit;
            return (
              <tr key={name} class={isLit ? style.lit : ""}>
                <th scope="row">{what}</th>
                <td>{says}</td>
                <td>
                  <a href={SOURCES + file}>
                    <code>{`${fn} in ${file}`}</code>
                  </a>
                </td>
                <td class={style.number}>{grouped(count?.times ?? 0)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <CallPath />
    </section>
  );
}
