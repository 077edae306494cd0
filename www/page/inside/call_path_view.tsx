// The call path of a snapshot, row by row: each call of VictoriaMetrics v1.72 and the function that does it here.

import groups from "./call_path.json";
import { SOURCES } from "./steps";
import style from "./call_path_view.module.css";

export function CallPath() {
  return (
    <details class={style.callPath}>
      <summary>Every call of a snapshot, as VictoriaMetrics v1.72 makes it, and its place here</summary>
      {groups.map(({ title, rows }) => (
        <section key={title}>
          <h3>{title}</h3>
          <div class={style.wide}>
            <table>
              <thead>
                <tr>
                  <th scope="col">In VictoriaMetrics</th>
                  <th scope="col">Calls</th>
                  <th scope="col">What happens</th>
                  <th scope="col">Here</th>
                </tr>
              </thead>
              <tbody>
                {rows.map(({ server, calls, what, file, name }) => (
                  <tr key={server + calls + what}>
                    <th scope="row">
                      <code>{server}</code>
                    </th>
                    <td>{calls && <code>{calls}</code>}</td>
                    <td>{what}</td>
                    <td>
                      <a href={SOURCES + file}>
                        <code>{`${name} in ${file}`}</code>
                      </a>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </section>
      ))}
    </details>
  );
}
