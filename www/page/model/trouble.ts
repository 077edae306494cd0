// What can go wrong when the database is opened or used, in plain words, and what can be done about it.

export interface Trouble {
  title: string;
  text: string;
  /** What the engine said, for those who want to know. */
  detail: string;
  /** What the page can do: try again by itself until it works, try again when asked, do without storage, begin anew. */
  remedy: "waits" | "retry" | "memory" | "startOver";
}

export function troubleOf(error: unknown): Trouble {
  const { code, message } = codeAndMessage(error);
  switch (code) {
    case "locked":
      return {
        title: "Another tab has the database and does not share it",
        text: "It sleeps, or has another version of this page. Go to that tab, reload or close it, and this one goes on by itself.",
        detail: message,
        remedy: "waits",
      };
    case "quota":
      return {
        title: "The browser has no room left for this page",
        text: "The scrape has stopped; all that was stored stays readable. Free some disk space, download a snapshot, or start over.",
        detail: message,
        remedy: "startOver",
      };
    case "unsupported":
      return {
        title: "This browser keeps nothing for this page",
        text: "IndexedDB is missing or switched off, as in some private windows. Everything works in memory, too; it is gone when the tab is closed.",
        detail: message,
        remedy: "memory",
      };
    case "corrupt":
      return {
        title: "Something stored here cannot be read",
        text: "The browser returned other bytes than were written. Starting over removes the database and fills it anew.",
        detail: message,
        remedy: "startOver",
      };
    case "closed":
      return {
        title: "The database was closed",
        text: "The browser or another tab took it away. Trying again opens what is still there, or begins anew.",
        detail: message,
        remedy: "retry",
      };
    default:
      return {
        title: "The engine could not go on",
        text: "This should not happen. What was durable is still there; trying again opens it.",
        detail: message,
        remedy: "retry",
      };
  }
}

/** What can go wrong when the database is removed. */
export function troubleOfRemoving(error: unknown): Trouble {
  const trouble = troubleOf(error);
  if (trouble.remedy !== "waits") return trouble;
  return {
    title: "Another tab of this page has the database open",
    text: "Nothing was removed. Close the page’s other tabs, try again, and then start over.",
    detail: trouble.detail,
    remedy: "retry",
  };
}

export function messageOf(error: unknown): string {
  // The engine's messages speak to programs, too; a visitor of the page has no call to make.
  return codeAndMessage(error).message.replace(/[,;] ask inspect\(\)[^.]*$/, "");
}

function codeAndMessage(error: unknown): { code: string; message: string } {
  if (error instanceof Error) return { code: String((error as { code?: unknown }).code ?? ""), message: error.message };
  return { code: "", message: String(error) };
}
