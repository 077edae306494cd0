// The page's own database while another tab of the page writes it: it is asked through that tab. When that one goes, the session of this
// page, which waits for it, takes the database over, and what was opened here is closed.

import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { type Database, open } from "sandglass";
import { OWN_DATABASE, type Session } from "../session";

export function useOwnDatabase(session: Session): { database: ReadonlySignal<Database | undefined>; isGuest: boolean } {
  const guest = useMemo(() => signal<Database | undefined>(undefined), []);
  const database = useMemo(() => computed(() => session.database.value ?? guest.value), [session, guest]);
  const isElsewhere = session.database.value === undefined && session.trouble.value?.remedy === "waits";
  useEffect(() => {
    if (!isElsewhere) return;
    let isWanted = true;
    const opened = open({ name: OWN_DATABASE, storage: "indexeddb", ifLocked: "share" }).then((found) => {
      if (isWanted) guest.value = found;
      else void found.close().catch(() => {});
    });
    // Then the card of the trouble says what is in the way.
    opened.catch(() => {});
    return () => {
      isWanted = false;
      void guest.peek()?.close().catch(() => {});
      guest.value = undefined;
    };
  }, [isElsewhere, guest]);
  return { database, isGuest: isElsewhere && guest.value !== undefined };
}
