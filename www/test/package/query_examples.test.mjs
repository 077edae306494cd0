// The examples of docs/QUERIES.md give what is printed below them. UPDATE_DOCS=1 prints the answers anew.
import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { installPackage } from "../server/packed.mjs";

const DOCUMENT = fileURLToPath(new URL("../../../docs/QUERIES.md", import.meta.url));

let installed;
before(async () => {
  installed = await installPackage();
});
after(async () => {
  if (installed) await rm(installed.project, { recursive: true, force: true });
});

/** One line for each series: its labels as a selector has them, and its value. */
function printed(result) {
  return result.series.map(({ labels: { __name__ = "", ...labels }, value }) => {
    const inside = Object.entries(labels).map(([name, text]) => `${name}=${JSON.stringify(text)}`);
    const digits = Number.isInteger(value) ? value : Number(value.toPrecision(4));
    return `  ${__name__}{${inside.join(", ")}} ${digits}`;
  });
}

test("the examples of docs/QUERIES.md are answered as they say", async () => {
  const document = await readFile(DOCUMENT, "utf8");
  const [, section] = /\n## Ten examples\n([\s\S]*?)\n## /.exec(document) ?? [];
  const [, code] = /```js\n([\s\S]*?)```/.exec(section) ?? [];
  assert.ok(code, "the section begins with the samples");
  await writeFile(join(installed.project, "examples.mjs"), `${code}\nexport { db, now };\n`);
  const { db, now } = await import(pathToFileURL(join(installed.project, "examples.mjs")).href);
  try {
    const examples = [...section.matchAll(/```text\n([\s\S]*?)```/g)].map(([, text]) => text);
    assert.equal(examples.length, 10);
    let written = section;
    for (const example of examples) {
      const lines = example.trimEnd().split("\n");
      const expression = lines.filter((line) => !line.startsWith("  ")).join("\n");
      const answer = printed(await db.query(expression, { time: now }));
      assert.notDeepEqual(answer, [], expression);
      if (process.env.UPDATE_DOCS) written = written.replace(example, `${[expression, ...answer].join("\n")}\n`);
      else assert.deepEqual(lines.slice(lines.length - answer.length), answer, expression);
    }
    if (written !== section) await writeFile(DOCUMENT, document.replace(section, written));
  } finally {
    await db.close();
  }
});
