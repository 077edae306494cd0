// What the documentation consists of, and in which order. Paths are those of the repository, whose files are the source.

/** @type {{ title: string, pages: string[] }[]} */
export const CONTENTS = [
  {
    title: "Begin",
    pages: ["docs/index.md", "docs/guides/tour.md", "docs/guides/start.md", "examples/README.md"],
  },
  {
    title: "Guides",
    pages: [
      "docs/guides/ingest.md",
      "docs/guides/query.md",
      "docs/guides/live-charts.md",
      "docs/guides/frameworks.md",
      "docs/guides/tabs.md",
      "docs/guides/durability.md",
      "docs/guides/full-disk.md",
      "docs/guides/snapshots.md",
      "docs/guides/testing.md",
      "docs/guides/bundlers.md",
      "docs/guides/migration.md",
    ],
  },
  {
    title: "Reference",
    pages: [
      "api/README.md",
      "docs/PROMISES.md",
      "docs/QUERIES.md",
      "docs/HTTP.md",
      "docs/PUSH.md",
      "docs/STORAGE.md",
      "docs/EXPLORE.md",
      "docs/TEACHING.md",
      "docs/guides/errors.md",
      "docs/guides/limits.md",
      "docs/BENCHMARKS.md",
    ],
  },
  {
    title: "The project",
    pages: ["README.md", "docs/ARCHITECTURE.md", "docs/decisions/", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"],
  },
];
