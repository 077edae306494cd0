// One sample that is looked at: where it lies, which part and block are shown, and what happens to that part meanwhile.

import { effect, type ReadonlySignal, signal } from "@preact/signals";
import type { Database, EngineEvent } from "sandglass";
import { PartZoom } from "../inside/part_zoom";
import { messageOf } from "../model/trouble";
import { hashOfSample, isOfSample, type SamplePlace } from "./address";
import { findSample, type Lying, nameOf, type Search } from "./find";

/** Rows that wait become a part within a second. */
const LOOK_AGAIN_MS = 1000;

export class SampleLook {
  readonly search = signal<Search | undefined>(undefined);
  /** The place of the sample that is shown. */
  readonly shown = signal<Lying | undefined>(undefined);
  /** The part that the address named, when the sample does not lie there any more. */
  readonly was = signal("");
  /** When the part that is shown was merged away; undefined while it is there. */
  readonly mergedAt = signal<number | undefined>(undefined);
  readonly problem = signal("");
  readonly parts: PartZoom;
  readonly close: () => void;

  #database: Database | undefined;
  #control = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly place: SamplePlace,
    database: ReadonlySignal<Database | undefined>,
  ) {
    this.parts = new PartZoom((question) => this.#database && question(this.#database));
    let stopObserving = () => {};
    // The same database in other hands numbers its parts anew.
    const stopFollowing = database.subscribe((found) => {
      stopObserving();
      this.#database = found;
      if (!found) return;
      stopObserving = found.observe((event) => this.#take(event));
      void this.find(this.#place());
    });
    const stopWriting = effect(() => {
      const place = this.#place();
      if (place.part !== "" && isOfSample(location.hash)) history.replaceState(history.state, "", hashOfSample(place));
    });
    this.close = () => {
      stopFollowing();
      stopObserving();
      stopWriting();
      clearTimeout(this.#timer);
      this.#control.abort();
    };
  }

  /** Looks for the sample. A part that holds it and is named is shown, else the first that does. */
  async find({ part, block }: Pick<SamplePlace, "part" | "block">): Promise<void> {
    const database = this.#database;
    clearTimeout(this.#timer);
    this.#control.abort();
    const { signal } = (this.#control = new AbortController());
    if (!database) return;
    try {
      const search = await findSample(database, this.place, signal);
      if (signal.aborted) return;
      const named = search.lying.find((lying) => nameOf(lying.part) === part);
      const found = named ?? search.lying[0];
      this.problem.value = "";
      this.search.value = search;
      this.was.value = part !== "" && !named ? part : "";
      await this.show(found, named ? block : found?.block.block);
      if (!found && search.waiting > 0 && !signal.aborted) this.#timer = setTimeout(() => void this.find({ part, block }), LOOK_AGAIN_MS);
    } catch (error) {
      if (!signal.aborted) this.problem.value = messageOf(error);
    }
  }

  /** The address was changed by hand, to another part or block. What it says of what is shown is our own writing. */
  follow({ part, block }: Pick<SamplePlace, "part" | "block">): void {
    const place = this.#place();
    if (part !== place.part || block !== place.block) void this.find({ part, block });
  }

  /** Shows one of the places, and of its part a block or all of them. */
  async show(lying: Lying | undefined, block: number | undefined): Promise<void> {
    this.mergedAt.value = undefined;
    this.shown.value = lying;
    if (lying) await this.parts.zoomTo([lying.partition, String(lying.part.id), ...(block === undefined ? [] : [String(block)])]);
    else await this.parts.zoomTo([]);
  }

  /** What the address is to say. */
  #place(): SamplePlace {
    const lying = this.shown.value;
    const [, part, block] = this.parts.zoom.value;
    if (!lying || part === undefined) return this.place;
    return { ...this.place, part: nameOf(lying.part), block: block === undefined ? undefined : Number(block) };
  }

  #take(event: EngineEvent): void {
    if (event.type === "partRetired" && event.part === this.shown.peek()?.part.id) this.mergedAt.value = event.time;
  }
}
