// The other browsers, killed while they write. ROUNDS= says how often.
import { rm } from "node:fs/promises";
import { after } from "node:test";
import { crashRounds } from "../browsers/crash_rounds.mjs";
import { installPackage } from "../server/packed.mjs";
import { BROWSERS, visit } from "./browsers.mjs";
import { direct } from "./director.mjs";

const package_ = await installPackage();
after(() => rm(package_.project, { recursive: true, force: true }));

for (const browser of BROWSERS)
  crashRounds({
    title: `${browser.name} is killed`,
    count: Number(process.env.ROUNDS ?? 2),
    drips: 1,
    package_,
    combinations: browser.combinations,
    serve: direct,
    start: (profile, _, server) => visit(browser, profile, server),
    crash: ({ kill }) => kill(),
  });
