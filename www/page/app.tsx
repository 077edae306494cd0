import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import type { Charts } from "./charts";
import type { Player } from "./inside/player";
import type { Place } from "./model/history";
import { place } from "./rooms";
import type { Session } from "./session";
import { Header } from "./views/header";
import { LiveRoom } from "./views/live_room";

/** The rooms with the picture are fetched when somebody wants to go there. */
const inside = signal<{ Room: ComponentType<{ player: Player }>; enter: (place: Place) => Player; leave: () => void } | undefined>(undefined);
const player = signal<Player | undefined>(undefined);

export function App({ session, charts }: { session: Session; charts: Charts }) {
  const { room, embedded } = place.value;
  useEffect(() => {
    if (room === "live") {
      inside.value?.leave();
      session.begin();
      return;
    }
    void import("./inside/room").then((loaded) => {
      inside.value = loaded;
      player.value = loaded.enter(place.peek());
    });
  }, [room, place.value, session]);
  const Inside = inside.value?.Room;
  return (
    <>
      {!embedded && <Header room={room} />}
      <main id="content">
        {room === "live" ? <LiveRoom session={session} charts={charts} /> : Inside && player.value && <Inside player={player.value} />}
      </main>
    </>
  );
}
