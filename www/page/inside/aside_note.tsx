// What is said aside: closed at first, so that it costs who does not ask for it one line.

import type { ComponentChildren } from "preact";
import style from "./aside_note.module.css";

export function AsideNote({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <details class={style.note}>
      <summary>{title}</summary>
      {children}
    </details>
  );
}

/** Of a chapter or a situation. */
export const LeavesOut = ({ says }: { says: string }) => (
  <AsideNote title="What this leaves out, and which server it follows">
    <p>{says}</p>
  </AsideNote>
);
