// What the index is made with and read with.

/** Names such as `queryRange` and `durable_within` are found by their words, too. */
const words = (text) => text.split(/[^\p{L}\p{N}_]+/u).flatMap((word) => [word, ...word.split(/_|(?<=\p{Ll})(?=\p{Lu})/u)]);

/** Who looks for a word wants what explains it, before a type that has it in its name and before why something was chosen. */
const BOOSTS = [
  [/^guides\//, 2],
  [/^decisions\/|^(changelog|contributing)\.html/, 0.2],
  [/^api\/.*\/(interfaces|type-aliases|variables)\/[^#]*$/, 0.3],
  // Its methods are those of a database.
  [/\/OpenedSnapshot\.html#/, 0.5],
];

export const SEARCH = {
  fields: ["title", "page", "text"],
  storeFields: ["place", "title", "page"],
  tokenize: (text) => [...new Set(words(text))].filter((word) => word.length > 1),
  searchOptions: {
    prefix: true,
    // A short word with a slip is another word: csv and CSP, tabs and tar.
    fuzzy: (term) => (term.length > 4 ? 0.25 : false),
    combineWith: "AND",
    boost: { title: 4, page: 2 },
    boostDocument: (_id, _term, { place }) => BOOSTS.find(([pattern]) => pattern.test(place))?.[1] ?? 1,
  },
};
