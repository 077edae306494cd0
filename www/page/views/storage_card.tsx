import { useEffect, useState } from "preact/hooks";
import { bytes, grouped, plural } from "../model/format";
import { isPlausible } from "../model/estimate";
import { RETENTIONS, type Session } from "../session";
import style from "./storage_card.module.css";

/** What the database takes of this browser, how long it keeps samples, and whether the browser may throw it away. */
export function StorageCard({ session }: { session: Session }) {
  const state = session.state.value;
  const [browser, setBrowser] = useState<{ usage: number; quota: number; persisted: boolean } | undefined>();
  const [refused, setRefused] = useState(false);
  const look = async () => {
    const { storage } = navigator;
    if (!storage?.estimate) return;
    const { usage = 0, quota = 0 } = await storage.estimate();
    setBrowser({ usage, quota, persisted: (await storage.persisted?.()) ?? false });
  };
  const stored = state?.fileSystem.storedBytes ?? 0;
  const megabytes = Math.floor(stored / 1e6);
  useEffect(() => void look().catch(() => {}), [megabytes]);
  const keep = async () => {
    const granted = await navigator.storage.persist();
    setRefused(!granted);
    await look();
  };
  const site: [string, string, string][] = !browser
    ? [["this site in the browser", "–", "the browser does not tell"]]
    : isPlausible(browser.usage, browser.quota, stored)
      ? [["this site, by estimate", bytes(browser.usage), `the browser’s own count, of ${bytes(browser.quota)} that it may take`]]
      : [["this site in the browser", "–", `the browser tells ${bytes(browser.usage)}, which cannot be right`]];
  const items: [string, string, string][] = state
    ? [
        [
          "this database",
          bytes(stored),
          `${plural(state.fileSystem.files, "file")}, ${grouped(state.fileSystem.links)} names: a snapshot adds names, not bytes`,
        ],
        ["written since opened", bytes(state.fileSystem.writtenBytes), plural(state.fileSystem.commits, "commit")],
        [
          "memory",
          bytes(state.memory.wasmBytes),
          `caches ${bytes(state.memory.cacheBytes)} of at most ${bytes(state.memory.cacheLimitBytes)}`,
        ],
        ...site,
      ]
    : [];
  return (
    <section class={`card ${style.storage}`} aria-labelledby="storage-title">
      <div class="card-head">
        <div>
          <h2 id="storage-title">What it takes</h2>
          <p class="hint">
            A shorter retention drops months that are over as a whole, and older rows of the rest in their next merge. No query finds them
            any more.
          </p>
        </div>
        <div class="controls">
          <label class={style.retention}>
            Keep{" "}
            <select
              value={session.retention.value}
              disabled={session.phase.value !== "running" || session.looksOn.value}
              onChange={(event) => void session.setRetention((event.target as HTMLSelectElement).value)}
            >
              {RETENTIONS.map(([value, name]) => (
                <option key={value} value={value}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          {browser && !browser.persisted && (
            <button type="button" disabled={refused} onClick={() => void keep().catch(() => setRefused(true))}>
              {refused ? "The browser decides itself" : "Ask for lasting storage"}
            </button>
          )}
        </div>
      </div>
      <dl class={style.storageList}>
        {items.map(([name, value, note]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class={style.value}>{value}</dd>
            <dd class="note">{note}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
