import { useState } from "preact/hooks";
import { bytes, moment, plural } from "../model/format";
import { save } from "../save";
import type { Session } from "../session";
import type { SnapshotFacts } from "../snapshots";
import style from "./snapshot_card.module.css";

/** Where a single-node server listens. */
const SERVER = "http://localhost:8428";

export function SnapshotCard({ session }: { session: Session }) {
  const snapshots = session.snapshots.list.value;
  const [chosen, setChosen] = useState<string | undefined>();
  const name = snapshots.find((snapshot) => snapshot.name === chosen)?.name ?? snapshots[0]?.name;
  const busy = session.busy.value.has("snapshot");
  return (
    <section class="card" aria-labelledby="snapshot-title">
      <div class="card-head">
        <div>
          <h2 id="snapshot-title">Take it to a server</h2>
          <p class="hint">A snapshot is instant: it links the part files of one moment and copies none of them.</p>
        </div>
        <div class="controls">
          <button
            type="button"
            class="primary"
            disabled={busy || session.phase.value !== "running"}
            onClick={() => void session.snapshot()}
          >
            Take a snapshot
          </button>
        </div>
      </div>
      <div class={style.snapshots}>
        {snapshots.length === 0 ? (
          <p class={`hint ${style.none}`}>No snapshot yet.</p>
        ) : (
          <ul>
            {snapshots.map((snapshot) => (
              <SnapshotRow key={snapshot.name} session={session} snapshot={snapshot} onChoose={() => setChosen(snapshot.name)} />
            ))}
          </ul>
        )}
        <ol class={style.steps}>
          <li>
            <span>Unpack it and start VictoriaMetrics on it:</span>
            <Copyable
              text={`mkdir vm && tar -xf ${name ?? "NAME"}.tar -C vm && victoria-metrics -storageDataPath=vm -retentionPeriod=100y`}
              what="the command"
            />
          </li>
          <li>
            <span>Ask it for what you saw here:</span>
            <Copyable text={`${SERVER}/api/v1/export?match[]=node_load1`} what="the address" />
          </li>
        </ol>
      </div>
      <p class={style.otherWay}>
        <strong>And the other way:</strong> drop a server’s snapshot anywhere on this page, or choose one in the room{" "}
        <a href="#open">Open</a>.
      </p>
    </section>
  );
}

function SnapshotRow(props: { session: Session; snapshot: SnapshotFacts; onChoose: () => void }) {
  const { session, snapshot } = props;
  const [progress, setProgress] = useState<string | undefined>();
  const [problem, setProblem] = useState("");
  const download = async () => {
    props.onChoose();
    const database = session.database.value;
    if (!database) return;
    setProblem("");
    try {
      const pieces: Uint8Array<ArrayBuffer>[] = [];
      let length = 0;
      const reader = database.snapshots.download(snapshot.name).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        pieces.push(new Uint8Array(value));
        length += value.length;
        setProgress(bytes(length));
      }
      save(new Blob(pieces, { type: "application/x-tar" }), `${snapshot.name}.tar`);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setProgress(undefined);
    }
  };
  const facts = [
    snapshot.createdAt ? moment(snapshot.createdAt) : "",
    snapshot.parts !== undefined ? plural(snapshot.parts, "part") : "",
    snapshot.bytes !== undefined ? bytes(snapshot.bytes) : "",
  ].filter(Boolean);
  return (
    <li class={style.snapshot}>
      <div class={style.snapshotName}>
        <code>{snapshot.name}</code>
        <span class="note">{problem || facts.join(" · ")}</span>
      </div>
      <div class="controls">
        <button type="button" disabled={progress !== undefined} onClick={() => void download()}>
          {progress === undefined ? "Download" : `${progress}…`}
        </button>
        <button
          type="button"
          class="quiet"
          aria-label={`Delete snapshot ${snapshot.name}`}
          onClick={() => void session.deleteSnapshot(snapshot.name)}
        >
          Delete
        </button>
      </div>
    </li>
  );
}

function Copyable({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1600);
  };
  return (
    <div class={style.copyable}>
      <code tabIndex={0}>{text}</code>
      <button type="button" aria-label={`${copied ? "Copied" : "Copy"} ${what}`} onClick={() => void copy().catch(() => {})}>
        {copied ? "Copied" : "Copy"}
      </button>
    </div>
  );
}
