import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import type { Charts } from "./charts";
import { isOf, viewOf } from "./explore/address";
import type { Player } from "./inside/player";
import type { Place } from "./model/history";
import { messageOf } from "./model/trouble";
import { closeOpened, follow, followView, hovering, opened, openFiles, opening } from "./opening";
import { goTo, place } from "./rooms";
import { isOfSample, sampleOf } from "./sample/address";
import type { Session } from "./session";
import { Header, titleOf } from "./views/header";
import { LiveRoom } from "./views/live_room";
import { OpenRoom } from "./views/open_room";
import style from "./app.module.css";
import trouble from "./views/trouble_card.module.css";

/** The rooms with the picture are fetched when somebody wants to go there. */
const inside = signal<{ Room: ComponentType<{ player: Player }>; enter: (place: Place) => Player; leave: () => void } | undefined>(
  undefined,
);
const player = signal<Player | undefined>(undefined);
const explore = signal<typeof import("./explore/room") | undefined>(undefined);
const sample = signal<typeof import("./sample/room") | undefined>(undefined);
/** Why the code of a room could not be had. */
const missing = signal("");

export function App({ session, charts }: { session: Session; charts: Charts }) {
  const { room, embedded } = place.value;
  const view = viewOf(location.hash);
  const looksAtSample = isOfSample(location.hash);
  const asks = room === "explore" || looksAtSample;
  const asksSnapshot = asks && view.of !== "own";
  useEffect(() => {
    missing.value = "";
    if (!showsEngine()) inside.value?.leave();
    if (room === "live" || (asks && !asksSnapshot)) session.begin();
    if (room === "open") return follow(location.hash);
    if (room === "live") return;
    if (asksSnapshot) followView(view);
    const notLoaded = (error: unknown) => (missing.value = messageOf(error));
    if (looksAtSample) import("./sample/room").then((loaded) => (sample.value = loaded)).catch(notLoaded);
    else if (room === "explore") import("./explore/room").then((loaded) => (explore.value = loaded)).catch(notLoaded);
    else
      import("./inside/room")
        .then((loaded) => {
          // Another room may have been chosen meanwhile.
          if (!showsEngine()) return;
          inside.value = loaded;
          player.value = loaded.enter(place.peek());
        })
        .catch(notLoaded);
  }, [room, asksSnapshot, looksAtSample, place.value, session]);
  useEffect(() => {
    document.title = titleOf(room, opened.value?.snapshot.name);
  }, [room, opened.value]);
  // Whoever goes to another room leaves the snapshot behind; not so between its own and those that ask it.
  const keepsSnapshot = room === "open" || asksSnapshot;
  useEffect(() => {
    if (!keepsSnapshot) closeOpened();
  }, [keepsSnapshot, room]);
  const close = () => {
    closeOpened();
    goTo("#open");
  };
  const Inside = inside.value?.Room;
  const Explore = explore.value;
  const Sample = sample.value;
  const sampled = looksAtSample ? sampleOf(location.hash) : undefined;
  const guest = opened.value;
  const asked = asksSnapshot && guest && isOf(view, guest.snapshot.source) ? guest.snapshot : undefined;
  // While it is being opened, that is told above.
  const isOpening = opening.value !== undefined && opening.value.problem === "";
  return (
    <>
      {!embedded && <Header room={room} onLeave={closeOpened} />}
      {hovering.value && <div class={style.dropHint}>Drop a snapshot, as a tar or its folder, or samples as text</div>}
      <main id="content">
        <Opening />
        {missing.value ? (
          <Missing detail={missing.value} />
        ) : looksAtSample ? (
          Sample &&
          (!sampled ? (
            <Sample.NoSample />
          ) : !asksSnapshot ? (
            <Sample.OwnSample place={sampled} session={session} />
          ) : asked ? (
            <Sample.SnapshotSample key={asked.feed.id} place={sampled} snapshot={asked} />
          ) : (
            !isOpening && <Sample.NotOpen onOpen={openFiles} />
          ))
        ) : room === "explore" ? (
          Explore &&
          (!asksSnapshot ? (
            <Explore.OwnExplore session={session} />
          ) : asked ? (
            <Explore.SnapshotExplore key={asked.feed.id} snapshot={asked} />
          ) : (
            !isOpening && <Explore.NoSnapshot source={view} onOpen={openFiles} />
          ))
        ) : room === "open" ? (
          guest ? (
            <guest.Room key={guest.snapshot.feed.id} snapshot={guest.snapshot} onClose={close} />
          ) : (
            <OpenRoom />
          )
        ) : room === "live" ? (
          <LiveRoom session={session} charts={charts} />
        ) : (
          Inside && player.value && <Inside player={player.value} />
        )}
      </main>
    </>
  );
}

/** Whether the address is of the engine that a history drives. */
function showsEngine(): boolean {
  const { room } = place.peek();
  return room === "chapters" || (room === "inside" && !isOfSample(location.hash));
}

/** The network went, or another version of the page was put in the place of this one. */
function Missing({ detail }: { detail: string }) {
  return (
    <section class={`card ${trouble.trouble}`} role="alert">
      <h1>This room could not be loaded</h1>
      <p>Its code is fetched when somebody wants to go there, and it did not come. The other rooms that were open go on working.</p>
      <p class={trouble.detail}>{detail}</p>
      <div class="actions">
        <button type="button" class="primary" onClick={() => location.reload()}>
          Try again
        </button>
      </div>
    </section>
  );
}

/** The way from a dropped file to what it shows, or why it shows nothing. */
function Opening() {
  const state = opening.value;
  if (!state) return null;
  return (
    <section
      class={state.problem ? `card ${style.opening} ${trouble.trouble}` : `card ${style.opening}`}
      role={state.problem ? "alert" : "status"}
    >
      <h2>{state.problem ? `“${state.name}” cannot be opened` : `Opening “${state.name}”…`}</h2>
      {state.problem && (
        <>
          <p class={trouble.detail}>{state.problem}</p>
          <div class="actions">
            <button type="button" onClick={() => (opening.value = undefined)}>
              All right
            </button>
          </div>
        </>
      )}
    </section>
  );
}
