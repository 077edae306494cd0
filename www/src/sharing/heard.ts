// What follows when an engine of another page is heard of: it is worked with, refused, or ignored.

import { SandglassError } from "../api/errors.js";
import { BUILD } from "../base/build_name.js";
import type { Call } from "../worker/meeting.js";

/** The engine of another page that is worked with. `term` names it, and `since` says from when on it has the database. */
export interface Link {
  term: string;
  since: number;
}

export type Here = Call & { kind: "here" };

/** The engine to work with from now on, why it can't be spoken with, or nothing where all stays as it is. `link` is worked with until now. */
export function heard({ term, since, build, isOpen }: Here, name: string, link: Link | undefined): Link | SandglassError | undefined {
  if (build !== BUILD)
    return new SandglassError("locked", `the database "${name}" is open in a tab with another version of this package; reload that tab`);
  // One that has lost the database may not know it yet.
  if (!isOpen || (link !== undefined && (term === link.term || since < link.since))) return undefined;
  return { term, since };
}
