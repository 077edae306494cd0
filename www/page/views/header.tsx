import type { RoomName } from "../model/history";
import style from "./header.module.css";

/** The sign: sand that becomes stone. */
export function Logo() {
  return (
    <svg class={style.logo} viewBox="0 0 32 32" aria-hidden="true">
      <path class={style.logoFrame} d="M6 3.5h20M6 28.5h20" />
      <path d="M9 4v4.2c0 3.6 5 5.2 5 7.8s-5 4.2-5 7.8V28h14v-4.2c0-3.6-5-5.2-5-7.8s5-4.2 5-7.8V4Z" />
      <path class={style.logoSand} d="M11.4 9h9.2c-.7 2.4-3.5 3.9-4.3 5.6h-.6c-.8-1.7-3.6-3.2-4.3-5.6Z" />
      <path class={style.logoPart} d="M11 23.5h10V26H11ZM13 20.4h6v2.1h-6Z" />
      <path class={style.logoGrain} d="M16 15v4" />
    </svg>
  );
}

const ROOMS: readonly [RoomName, string][] = [
  ["live", "Live"],
  ["explore", "Explore"],
  ["open", "Open"],
  ["inside", "Inside"],
  ["chapters", "Chapters"],
];

/** What a tab or an entry of the browser's history is told apart by. */
export const titleOf = (room: RoomName, opened: string | undefined): string => {
  const name = ROOMS.find(([other]) => other === room)?.[1];
  return `${room === "open" && opened !== undefined ? opened : name} · Sandglass`;
};

export function Header({ room, onLeave }: { room: RoomName; onLeave: () => void }) {
  return (
    <header class={style.top}>
      <a
        class={style.skip}
        href="#content"
        onClick={(event) => {
          // What stands behind the # is the room.
          event.preventDefault();
          const content = document.getElementById("content");
          content?.setAttribute("tabindex", "-1");
          content?.focus();
        }}
      >
        Skip to the content
      </a>
      <div class={style.brand}>
        <Logo />
        <span>Sandglass</span>
      </div>
      <p class={style.tagline}>time series, in the browser</p>
      <nav class={style.rooms} aria-label="Rooms">
        {ROOMS.map(([name, text]) => (
          <a key={name} href={`#${name}`} aria-current={name === room ? "page" : undefined} onClick={onLeave}>
            {text}
          </a>
        ))}
        <a href="docs/index.html">Docs</a>
      </nav>
    </header>
  );
}
