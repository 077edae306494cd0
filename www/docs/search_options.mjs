// What the index is made with and read with.

/** Names such as `queryRange` and `durable_within` are found by their words, too. */
const words = (text) => text.split(/[^\p{L}\p{N}_]+/u).flatMap((word) => [word, ...word.split(/_|(?<=\p{Ll})(?=\p{Lu})/u)]);

export const SEARCH = {
  fields: ["title", "page", "text"],
  storeFields: ["place", "title", "page"],
  tokenize: (text) => [...new Set(words(text))].filter((word) => word.length > 1),
  searchOptions: {
    prefix: true,
    fuzzy: 0.25,
    combineWith: "AND",
    boost: { title: 4, page: 2 },
    // Who looks for a word wants what explains it before a type that has it in its name.
    boostDocument: (_id, _term, { place }) => (/^api\/.*\/(interfaces|type-aliases|variables)\/[^#]*$/.test(place) ? 0.3 : 1),
  },
};
