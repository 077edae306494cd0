// The hooks in real React under StrictMode, in two tabs of a real browser, with code that is replaced while they run.
import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import react from "@vitejs/plugin-react";
import { createServer } from "vite";
import { installPackage } from "../server/packed.mjs";
import { temporaryDirectory } from "../server/victoriametrics.mjs";
import { link } from "./modules.mjs";
import { visit } from "./persistent.mjs";

const MAIN = `import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { open } from "sandglass";
import { App } from "./app.jsx";
globalThis.open = open;
globalThis.root = createRoot(document.getElementById("app"));
root.render(<StrictMode><App /></StrictMode>);
`;

/** How many samples there are, whenever they came: each is of a series of its own. */
const COUNT = "count(last_over_time(written[1h]))";

/** Two components that use one database, of which one can go, and a button that writes. */
const APP = `import { useEffect, useState } from "react";
import { useDatabase, useQuery } from "sandglass/react";

const WORDS = "version 1";

function Count({ expression, id, ...asked }) {
  const { database } = useDatabase({ name: "hooks", retention: "100y" });
  globalThis["database of " + id] = database;
  const { data, error, isPending } = useQuery(expression, { database, ...asked });
  const value = data?.type === "vector" ? data.series[0]?.value : data?.series[0]?.values.at(-1);
  return <p id={id} data-pending={isPending}>{error ? error.code : String(value)}</p>;
}

function Held() {
  const { status, error, reopen } = useDatabase({ name: "held", ifLocked: "fail" });
  return <button id="held" onClick={reopen}>{error?.code ?? status}</button>;
}

export function App() {
  const [isHeldShown, showHeld] = useState(false);
  const { status, database } = useDatabase({ name: "hooks", retention: "100y" });
  const [expression, ask] = useState("${COUNT}");
  const [isShown, show] = useState(true);
  const [written, count] = useState(0);
  useEffect(() => { globalThis.effects = (globalThis.effects ?? 0) + 1; }, []);
  const write = async () => {
    await database.append({ __name__: "written", number: String(written), tab: location.hash }, [Date.now() - 1], [1]);
    count(written + 1);
  };
  if (status !== "open") return <p id="status">{status}</p>;
  return <>
    <p id="status">{status}</p><p id="words">{WORDS}</p><p id="own">{written}</p>
    <button id="write" onClick={write}>write</button>
    <button id="toggle" onClick={() => show(!isShown)}>toggle</button>
    <input id="ask" value={expression} onChange={({ target }) => ask(target.value)} />
    <Count id="live" expression={expression} range="1h" step="1s" every={100} fresh />
    <button id="hold" onClick={() => showHeld(true)}>show</button>
    {isHeldShown && <Held />}
    {isShown && <Count id="instant" expression="${COUNT}" every={100} fresh />}
  </>;
}
`;

describe("the hooks under StrictMode", () => {
  let package_, server, profile, browser, first, url;
  const errors = [];

  before(async () => {
    package_ = await installPackage();
    await link(package_.project, ["react", "react-dom"]);
    const root = join(package_.project, "hooks");
    await mkdir(root);
    await writeFile(
      join(root, "index.html"),
      '<!doctype html><title>-</title><link rel="icon" href="data:," /><div id="app"></div><script type="module" src="./main.jsx"></script>',
    );
    await writeFile(join(root, "blank.html"), "<!doctype html><title>blank</title>");
    await writeFile(join(root, "main.jsx"), MAIN);
    await writeFile(join(root, "app.jsx"), APP);
    server = await createServer({
      root,
      configFile: false,
      logLevel: "error",
      plugins: [react()],
      server: { port: 0, host: "127.0.0.1" },
      // All that is imported is made ready before the first visit, as it is from the second start on.
      optimizeDeps: { include: ["react", "react-dom/client", "react/jsx-dev-runtime", "sandglass", "sandglass/react"] },
    });
    await server.listen();
    url = server.resolvedUrls.local[0];
    profile = await temporaryDirectory("react");
    browser = await visit(profile, url.replace(/\/$/, ""));
    first = await tab("#a", browser.page);
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    if (profile) await rm(profile, { recursive: true, force: true });
    if (package_) await rm(package_.project, { recursive: true, force: true });
  });

  const tab = async (hash, page) => {
    page ??= await browser.context.newPage();
    page.on("pageerror", (error) => errors.push(String(error.stack ?? error)));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await page.goto(`${url}${hash}`);
    await shows(page, "status", "open");
    return page;
  };
  const shows = (page, id, text) =>
    page.waitForFunction(([id, text]) => document.getElementById(id)?.textContent === text, [id, text], { timeout: 20_000 });
  const write = async (page, times) => {
    const from = Number(await page.textContent("#own"));
    for (let written = from; written < from + times; written++) {
      await page.click("#write");
      await shows(page, "own", String(written + 1));
    }
  };

  it("start one engine, whose object all components of the page have", async () => {
    assert.equal(await first.evaluate(() => globalThis.effects), 2, "StrictMode has mounted it twice");
    await first.waitForSelector("#instant");
    assert.equal(first.workers().length, 1);
    assert.ok(await first.evaluate(() => globalThis["database of live"] === globalThis["database of instant"]));
  });

  it("show what is written, as a range and at an instant", async () => {
    await write(first, 2);
    await shows(first, "live", "2");
    await shows(first, "instant", "2");
  });

  it("share it with another tab, which starts none", async () => {
    const second = await tab("#b");
    await shows(second, "live", "2");
    assert.equal(second.workers().length, 0);
    await write(second, 3);
    await shows(first, "live", "5");
    await second.close();
    await shows(first, "live", "5");
  });

  it("never show an answer beside another question, and go on after a mistake", async () => {
    await first.fill("#ask", `${COUNT} + 100`);
    assert.match(await first.textContent("#live"), /^(undefined|105)$/);
    await shows(first, "live", "105");
    await first.fill("#ask", COUNT.slice(0, -1));
    await shows(first, "live", "invalid");
    await first.fill("#ask", COUNT);
    await shows(first, "live", "5");
  });

  it("keep the database open while a component goes and comes back", async () => {
    await first.evaluate(() => (globalThis.kept = globalThis["database of live"]));
    for (const isThere of [false, true]) {
      await first.click("#toggle");
      await first.waitForFunction((isThere) => (document.querySelector("#instant") !== null) === isThere, isThere);
    }
    await shows(first, "instant", "5");
    assert.ok(await first.evaluate(() => globalThis["database of instant"] === globalThis.kept));
  });

  it("keep it when the code is replaced, with all that was written", async () => {
    await first.evaluate(() => (globalThis.isSamePage = true));
    const file = join(server.config.root, "app.jsx");
    await writeFile(file, (await readFile(file, "utf8")).replace("version 1", "version 2"));
    await shows(first, "words", "version 2");
    assert.ok(await first.evaluate(() => globalThis.isSamePage && globalThis["database of live"] === globalThis.kept));
    assert.equal(first.workers().length, 1);
    await write(first, 1);
    await shows(first, "live", "6");
  });

  it("tell why a database cannot be opened, and open it when told to", async () => {
    const other = await tab("#c");
    await other.evaluate(async () => (globalThis.held = await globalThis.open({ name: "held" })));
    await first.click("#hold");
    await shows(first, "held", "locked");
    await first.click("#held");
    await shows(first, "held", "locked");
    await other.evaluate(() => globalThis.held.close());
    await first.click("#held");
    await shows(first, "held", "open");
    await other.close();
  });

  it("close it, and end the engine, when the last component has gone; and open it anew", async () => {
    const gone = first.waitForFunction(async () => (await globalThis.kept.closed).reason);
    // One engine for each of the two databases.
    assert.equal(first.workers().length, 2);
    const ended = Promise.all(first.workers().map((worker) => worker.waitForEvent("close")));
    await first.evaluate(() => globalThis.root.render(null));
    assert.equal(await (await gone).jsonValue(), "closed");
    await ended;
    await first.reload();
    await shows(first, "live", "6");
  });

  it("render on a server without opening anything", async () => {
    const { createElement } = await import("react");
    const { renderToString } = await import("react-dom/server");
    // From the project, as a server's own code would.
    const entry = join(package_.directory, await package_.entry("./react", "node"));
    const { useDatabase, useQuery } = await import(entry);
    const App = () => {
      const { status, database } = useDatabase({ name: "server" });
      const { isPending } = useQuery("up", { database });
      return createElement("p", null, `${status} ${isPending}`);
    };
    assert.equal(renderToString(createElement(App)), "<p>opening true</p>");
  });

  it("say nothing on the console", () => {
    assert.deepEqual(
      errors.filter((text) => !/favicon|404/.test(text)),
      [],
    );
  });
});
