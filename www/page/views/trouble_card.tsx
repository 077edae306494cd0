import type { Session } from "../session";
import style from "./trouble_card.module.css";

/** What went wrong, in plain words, and the way out. */
export function TroubleCard({ session }: { session: Session }) {
  const trouble = session.trouble.value;
  if (!trouble) return null;
  return (
    <section class={`card ${style.trouble}`} role="alert" aria-labelledby="trouble-title">
      <h2 id="trouble-title">{trouble.title}</h2>
      <p>{trouble.text}</p>
      <p class={style.detail}>{trouble.detail}</p>
      <div class="actions">
        {trouble.remedy === "waits" && <span class={style.waiting}>Waiting for the other tab…</span>}
        {trouble.remedy === "memory" && (
          <button type="button" class="primary" onClick={() => void session.start("memory")}>
            Go on in memory
          </button>
        )}
        {trouble.remedy !== "waits" && (
          <button type="button" onClick={() => location.reload()}>
            Try again
          </button>
        )}
        {trouble.remedy === "startOver" && (
          <button type="button" class="danger" onClick={() => void session.startOver()}>
            Start over
          </button>
        )}
      </div>
    </section>
  );
}
