// Numbers out of whatever was pasted: a column of a table, a list of JSON, lines of a log.

export interface Numbers {
  numbers: number[];
  /** How many there were in all. */
  found: number;
  /** What stood there and is none. */
  refused: string[];
}

/** At most so many of them, from the first one on. Spaces, commas, semicolons, brackets and quotes part them. */
export function numbersIn(text: string, most: number): Numbers {
  const all: Numbers = { numbers: [], found: 0, refused: [] };
  for (const word of text.split(/[\s,;|"'[\](){}]+/)) {
    if (word === "") continue;
    const value = Number(word);
    if (!Number.isFinite(value)) all.refused.push(word);
    else if (++all.found <= most) all.numbers.push(value);
  }
  return all;
}
