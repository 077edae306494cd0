// What a learner has come to: questions that were answered, and what the chapters' own panels have found.

import { signal } from "@preact/signals";
import { recallList, rememberList } from "../remembered";
import type { Chapter } from "./chapters";
import type { Player } from "./player";
import { type Facts, questionOf } from "./questions";

const REMEMBERED = "sandglass.answered";

export class Lesson {
  /** Chapters whose question was answered, now or on an earlier visit. */
  readonly answered = signal<ReadonlySet<string>>(recall());
  /** What the answer has shown, for as long as the chapter is open. */
  readonly shown = signal("");
  readonly race = signal<Facts["race"]>({ savedBytes: 0, movedBytes: 0 });
  readonly walk = signal<Facts["walk"]>({ partsRead: 0, samples: 0 });

  /** A chapter begins, or begins anew: what was done before does not answer it. */
  begin(): void {
    this.shown.value = "";
    this.race.value = { savedBytes: 0, movedBytes: 0 };
    this.walk.value = { partsRead: 0, samples: 0 };
  }

  /** Looks whether what stands there now answers the chapter's question. */
  look(player: Player, { id, history }: Chapter): void {
    if (this.shown.peek() !== "" || player.chapter !== id) return;
    const given = new Set(history.actions.map(({ at, kind }) => `${at}${kind}`));
    const answer = questionOf(id)?.answered({
      house: player.house,
      state: player.state.peek(),
      before: player.before,
      deeds: player.history.peek().actions.filter(({ at, kind }) => !given.has(`${at}${kind}`)),
      part: player.look.part.peek(),
      block: player.look.block.peek(),
      race: this.race.peek(),
      walk: this.walk.peek(),
    });
    if (answer === undefined) return;
    this.shown.value = answer;
    this.answered.value = new Set([...this.answered.peek(), id]);
    rememberList(REMEMBERED, [...this.answered.peek()]);
  }
}

const recall = (): ReadonlySet<string> => new Set(recallList(REMEMBERED).filter((id) => typeof id === "string"));
