// Browsers of the system on a profile of their own, started on a page that is told what to do (director.mjs), and killed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { COMBINATIONS } from "../browsers/combinations.mjs";

const FIREFOX = {
  name: "Firefox",
  keepsTheLast: true,
  // None that has a database open.
  keepsPages: false,
  combinations: COMBINATIONS,
  program: process.env.FIREFOX ?? "firefox-esr",
  async prepare(profile) {
    const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`);
    await writeFile(join(profile, "user.js"), lines.join(""));
    return { args: ["--headless", "--no-remote", "--profile", profile], env: { HOME: profile, MOZ_CRASHREPORTER_DISABLE: "1" } };
  },
};

/** What Safari is made of, in a small browser of its own. */
const WEBKIT = {
  name: "WebKitGTK",
  // It undoes what a page that goes away has under way in IndexedDB (docs/STORAGE.md).
  keepsTheLast: false,
  keepsPages: true,
  // There is no origin private file system.
  combinations: Object.fromEntries(Object.entries(COMBINATIONS).filter(([, { options }]) => options.storage !== "opfs")),
  program: process.env.WEBKIT ?? "MiniBrowser",
  async prepare(profile) {
    const runtime = join(profile, "runtime");
    await mkdir(runtime, { recursive: true, mode: 0o700 });
    const screen = await startScreen();
    return {
      // It tells of its quota as Safari does, and lets scripts open tabs.
      args: ["--features=+StorageAPI,+StorageAPIEstimate", "--javascript-can-open-windows-automatically=true"],
      env: {
        HOME: profile,
        XDG_DATA_HOME: join(profile, "data"),
        XDG_CACHE_HOME: join(profile, "cache"),
        XDG_CONFIG_HOME: join(profile, "config"),
        XDG_RUNTIME_DIR: runtime,
        DISPLAY: screen.display,
        GDK_BACKEND: "x11",
        LANG: "C",
        LIBGL_ALWAYS_SOFTWARE: "1",
        // As root, and in containers, there is none.
        WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
      },
      screen,
    };
  },
};

/** Its windows that leave nothing behind, where IndexedDB keeps no `Blob`. */
const WEBKIT_PRIVATE = {
  ...WEBKIT,
  name: "WebKitGTK, a private window",
  combinations: Object.fromEntries(Object.entries(WEBKIT.combinations).filter(([, { entry }]) => entry === "index")),
  async prepare(profile) {
    const prepared = await WEBKIT.prepare(profile);
    return { ...prepared, args: [...prepared.args, "--private"] };
  },
};

/** No questions, nothing that asks the network, and no mourning for what was killed. */
const PREFERENCES = {
  "app.normandy.enabled": false,
  "app.update.disabledForTesting": true,
  "browser.aboutwelcome.enabled": false,
  "browser.safebrowsing.downloads.remote.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "browser.sessionstore.resume_from_crash": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.homepage_override.mstone": "ignore",
  "datareporting.policy.dataSubmissionEnabled": false,
  "dom.allow_scripts_to_close_windows": true,
  "dom.disable_open_during_load": false,
  "extensions.update.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,#remote-settings-dummy/v1",
  "toolkit.startup.max_resumed_crashes": -1,
};

/** How each is started, and which places and storages it has; BROWSER= chooses one. `scripts/env.sh` looks for the programs. */
const isChosen = ({ name }) => name.includes(process.env.BROWSER ?? "");
export const BROWSERS = [FIREFOX, WEBKIT].filter(isChosen);
/** With those whose windows forget. */
export const ALL_BROWSERS = [FIREFOX, WEBKIT, WEBKIT_PRIVATE].filter(isChosen);

/** Process groups that are to end with the tests, however those end. */
const running = new Set();
process.on("exit", () => running.forEach((group) => signal(group, "SIGKILL")));
// So does the test runner end a file that takes too long, and so does who has seen enough.
for (const name of ["SIGTERM", "SIGINT", "SIGHUP"]) process.once(name, () => process.exit(1));

/**
 * Starts a browser on a profile and opens an empty page of the server.
 *
 * @param {typeof FIREFOX} browser one of `BROWSERS`
 * @param {string} profile a folder
 * @param {Awaited<ReturnType<import("./director.mjs").direct>>} server the same for all visits of a profile
 */
export async function visit({ name, program, prepare }, profile, server) {
  const { args, env, screen } = await prepare(profile);
  const page = server.newTab();
  const tabs = [page];
  const coming = page.comes();
  // A group of its own, so that all of its processes can be killed at once.
  const child = spawn(program, [...args, page.address()], { env: { ...process.env, ...env }, stdio: "ignore", detached: true });
  const failed = once(child, "error").then(([error]) => {
    throw new Error(`${name} cannot be started: ${error.message}; scripts/need.sh installs it`);
  });
  failed.catch(() => {});
  const kill = async () => {
    signal(child.pid, "SIGKILL");
    while (hasProcesses(child.pid)) await sleep(10);
    running.delete(child.pid);
    screen?.close();
    for (const tab of tabs) server.forget(tab);
  };
  running.add(child.pid);
  try {
    await Promise.race([coming, failed]);
  } catch (error) {
    await kill();
    throw error;
  }
  return {
    page,
    /** Another tab of the browser, opened by the page, but no relation of it. */
    async newPage() {
      const tab = server.newTab();
      tabs.push(tab);
      const coming = tab.comes();
      await page.evaluate((url) => void open(url, "_blank", "noopener"), tab.address());
      await coming;
      return tab;
    },
    kill,
    close: kill,
  };
}

function signal(group, name) {
  try {
    process.kill(-group, name);
  } catch {
    // It has ended.
  }
}

/** Whether one of a group's processes is alive. */
function hasProcesses(group) {
  return readdirSync("/proc").some((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      // State, parent and group stand behind the name, which may hold anything.
      const [state, , own] = readFileSync(`/proc/${entry}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      return Number(own) === group && state !== "Z";
    } catch {
      return false;
    }
  });
}

/** A screen that nobody sees. */
async function startScreen() {
  const child = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
    detached: true,
  });
  running.add(child.pid);
  const failed = once(child, "error").then(([error]) => {
    throw new Error(`Xvfb cannot be started: ${error.message}; scripts/need.sh installs it`);
  });
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`Xvfb has ended with ${code}`);
  });
  failed.catch(() => {});
  ended.catch(() => {});
  const [number] = await Promise.race([once(child.stdio[3], "data"), failed, ended]);
  return {
    display: `:${String(number).trim()}`,
    close() {
      running.delete(child.pid);
      child.kill();
    },
  };
}
