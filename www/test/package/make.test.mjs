// `make help`, and what the scripts ask of `sed`, where `sed` is not GNU's: as macOS and BSD have it, `-i` wants a suffix, and a tab is no `\t`.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { which } from "../server/chromium.mjs";

const TOP = fileURLToPath(new URL("../../..", import.meta.url));
const run = promisify(execFile);
let folder;
let env;

/** What GNU's alone takes ends it with a word; all else is done by the system's, as POSIX has it. */
const strict = (real) => `#!/bin/sh
wants_suffix=
for argument in "$@"; do
  if [ -n "$wants_suffix" ]; then
    wants_suffix=
    case $argument in '' | .*) continue ;; *) echo 'sed: -i without a suffix' >&2; exit 1 ;; esac
  fi
  case $argument in
    -i) wants_suffix=yes ;;
    --* | -r | -s | -z) echo "sed: illegal option $argument" >&2; exit 1 ;;
    *'\\t'* | *'\\+'* | *'\\|'* | *'\\?'* | *'\\s'* | *'\\w'*) echo "sed: only GNU's reads $argument" >&2; exit 1 ;;
  esac
done
exec ${real} --posix "$@"
`;

before(async () => {
  folder = await temporaryDirectory("sed");
  await writeFile(join(folder, "sed"), strict(await which("sed")));
  await chmod(join(folder, "sed"), 0o755);
  env = { ...process.env, MAKEFLAGS: "", MFLAGS: "", PATH: `${folder}:${process.env.PATH}` };
});
after(() => rm(folder, { recursive: true, force: true }));

it("that sed is strict", async () => {
  const file = join(folder, "text");
  await writeFile(file, "a\n");
  for (const args of [
    ["-i", "s/a/b/", file],
    ["-r", "s/a/b/", file],
    ["s/\\t/b/", file],
  ])
    await assert.rejects(run("sed", args, { env }), { code: 1 }, args.join(" "));
  assert.equal((await run("sed", ["-nE", "s/^([a-z])$/<\\1>/p", file], { env })).stdout, "<a>\n");
});

it("make help lists every target", async () => {
  const { stdout, stderr } = await run("make", ["--no-print-directory", "-C", TOP, "help"], { env });
  assert.equal(stderr, "");
  const makefile = await readFile(join(TOP, "Makefile"), "utf8");
  const targets = [...makefile.matchAll(/^([a-z-]+):.*## (.*)$/gm)];
  assert.ok(targets.length > 10);
  for (const [, target, words] of targets)
    assert.match(stdout, new RegExp(`^  make ${target} +${words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`, "m"));
});

it("no script uses what GNU's sed alone knows", async () => {
  const scripts = (await readdir(join(TOP, "scripts"))).filter((name) => name.endsWith(".sh")).map((name) => join("scripts", name));
  for (const path of ["Makefile", ...scripts]) {
    const text = await readFile(join(TOP, path), "utf8");
    for (const [line] of text.matchAll(/^[^#\n]*\bsed .*$/gm))
      assert.doesNotMatch(line, /\bsed (-i(?! '')|-[a-zA-Z]*[rsz]\b|--)|\bsed [^|]*\\[tsw+]/, `${path}: ${line}`);
  }
});
