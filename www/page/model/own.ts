// Numbers of a visitor's own that are handed to the engine of Inside: whose they are there, and how an address has them.

/** The series that they become rows of. */
export const OWN_LABELS: Readonly<Record<string, string>> = { __name__: "own", job: "demo" };
/** Its place in the palette: none of those that others have. */
export const OWN_SERIES = -1;
/** At once. The address has to hold them. */
export const MOST_OWN = 500;

export const isOwn = (labels: Readonly<Record<string, string>> | null): boolean => labels?.__name__ === OWN_LABELS.__name__;

/** Each behind a sign that no number has and no address changes. A plus would be read as a space there. */
export const ownText = (numbers: readonly number[]): string => numbers.map((number) => `_${String(number).replace("+", "")}`).join("");

/** What stands behind the first such sign, number by number; what is none is left out, since an address is written by anybody. */
export function ownIn(texts: readonly string[]): number[] {
  const numbers = texts.flatMap((text) => (text.trim() !== "" && Number.isFinite(Number(text)) ? [Number(text)] : []));
  return numbers.slice(0, MOST_OWN);
}
