// Firefox, killed while it writes.
import { rm } from "node:fs/promises";
import { after } from "node:test";
import { ROUNDS, crashRounds } from "../browsers/crash_rounds.mjs";
import { installPackage } from "../server/packed.mjs";
import { visit } from "./firefox.mjs";

const package_ = await installPackage();
after(() => rm(package_.project, { recursive: true, force: true }));

crashRounds({
  title: "Firefox is killed",
  count: Math.ceil(ROUNDS / 4),
  package_,
  start: visit,
  crash: async (browser) => {
    await browser.kill();
  },
});
