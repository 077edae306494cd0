// When the browser puts the page away, and when it brings it back.

interface Leaving {
  /** The page is about to go, or to be frozen. */
  putAway(): void;
  /** It is back. */
  back(): void;
  /** It got out of sight, from where it may never come back. */
  hidden(): void;
}

/** Calls these until the function that it returns is called. Workers are told nothing. */
export function onLeaving({ putAway, back, hidden }: Leaving): () => void {
  const { document } = globalThis as { document?: Document };
  const changed = () => {
    if (document?.visibilityState === "hidden") hidden();
  };
  const listeners: [target: EventTarget | undefined, type: string, listener: () => void][] = [
    [document === undefined ? undefined : globalThis, "pagehide", putAway],
    [document === undefined ? undefined : globalThis, "pageshow", back],
    [document, "freeze", putAway],
    [document, "resume", back],
    [document, "visibilitychange", changed],
  ];
  for (const [target, type, listener] of listeners) target?.addEventListener(type, listener);
  return () => {
    for (const [target, type, listener] of listeners) target?.removeEventListener(type, listener);
  };
}
