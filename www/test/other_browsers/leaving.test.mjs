// Pages of the other browsers, left while they append: closed, reloaded, navigated away from with and without coming back. LEAVES= says how
// often each way is gone.
import { rm } from "node:fs/promises";
import { after } from "node:test";
import { leaveRounds } from "../browsers/leave_rounds.mjs";
import { installPackage } from "../server/packed.mjs";
import { BROWSERS, visit } from "./browsers.mjs";
import { direct } from "./director.mjs";

const package_ = await installPackage();
after(() => rm(package_.project, { recursive: true, force: true }));

for (const browser of BROWSERS)
  await leaveRounds({
    title: `a page of ${browser.name} is left`,
    count: Number(process.env.LEAVES ?? 1),
    longestMs: browser.keepsTheLast ? 1_200 : 3_000,
    package_,
    combinations: browser.combinations,
    serve: direct,
    async start(profile, _, server) {
      const visited = await visit(browser, profile, server);
      // The first page stays, so that each of the others may be closed.
      return { ...visited, page: await visited.newPage() };
    },
    ways: waysIn(browser),
  });

function waysIn({ keepsTheLast }) {
  const ways = {
    async "a closed tab"({ browser }) {
      const next = await browser.newPage();
      await browser.page.close();
      browser.page = next;
    },
    async "a reload"({ browser }) {
      await browser.page.reload();
    },
    async "a navigation"({ browser, url }) {
      await browser.page.goto(`${url.replace("localhost", "127.0.0.1")}/blank.html`);
      await browser.page.goto(`${url}/blank.html`);
    },
    async "a navigation and the way back"({ browser, url }) {
      await browser.page.goto(`${url}/blank.html?elsewhere`);
      // A page that was kept still has its database.
      if (await browser.page.goBack()) await browser.page.reload();
    },
  };
  if (keepsTheLast) return ways;
  // What comes last goes with the page, as in a kill.
  const killing = ([way, leave]) => [
    way,
    async (place) => {
      const end = Date.now();
      await leave(place);
      return end;
    },
  ];
  return Object.fromEntries(Object.entries(ways).map(killing));
}
