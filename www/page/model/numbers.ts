// Numbers out of whatever was pasted: a column of a table, a list of JSON, lines of a log.

export interface Numbers {
  numbers: number[];
  /** What stood there and is none. */
  refused: string[];
}

/** At most so many of them, from the first one on. Spaces, commas, semicolons, brackets and quotes part them. */
export function numbersIn(text: string, most: number): Numbers {
  const found: Numbers = { numbers: [], refused: [] };
  for (const word of text.split(/[\s,;|"'[\](){}]+/)) {
    if (word === "") continue;
    if (found.numbers.length >= most) break;
    const value = Number(word);
    if (Number.isFinite(value)) found.numbers.push(value);
    else found.refused.push(word);
  }
  return found;
}
