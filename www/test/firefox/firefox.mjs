// Firefox ESR of the system on a profile of its own, driven through geckodriver. A page answers the same calls as those of
// Chromium's driver that the tests need.
import { Builder } from "selenium-webdriver";
import { Options, ServiceBuilder } from "selenium-webdriver/firefox.js";
import { which } from "../server/chromium.mjs";

const program = async (name) => (name.includes("/") ? name : which(name));

/**
 * Starts Firefox on a profile and opens an empty page of the server.
 *
 * @param {string} profile a folder
 * @param {string} url of a server from `serve`, the same for all visits
 */
export async function visit(profile, url) {
  const options = new Options()
    .setBinary(await program(process.env.FIREFOX ?? "firefox-esr"))
    .addArguments("-headless", "-profile", profile);
  // Only a document that is the active one of its tab may ask for locks and files, and a test must not wait for a question.
  options.setPreference("dom.storageManager.prompt.testing", true);
  const driver = await new Builder()
    .forBrowser("firefox")
    .setFirefoxOptions(options)
    .setFirefoxService(new ServiceBuilder(await program(process.env.GECKODRIVER ?? "geckodriver")))
    .build();
  await driver.manage().setTimeouts({ script: 60_000, pageLoad: 30_000 });
  const process_ = (await driver.getCapabilities()).get("moz:processID");
  const page = new Page(driver);
  await page.goto(`${url}/blank.html`);
  return {
    page,
    driver,
    close: () => driver.quit(),
    async kill() {
      process.kill(process_, "SIGKILL");
      await driver.quit().catch(() => {});
    },
  };
}

class Page {
  #driver;
  #asked = 0;

  constructor(driver) {
    this.#driver = driver;
  }

  goto(url) {
    return this.#driver.get(url);
  }

  reload() {
    return this.#driver.navigate().refresh();
  }

  /**
   * Calls a function in the page and waits for its promise. What the driver runs has globals of its own, so it puts a script
   * into the page, which answers by an event.
   */
  async evaluate(run, argument) {
    const call = `Promise.resolve().then(() => (${run})(${JSON.stringify(argument)})).then(
        (answer) => ({ answer }),
        (error) => ({ failure: { code: error.code, message: String(error.message ?? error), stack: String(error.stack) } }),
      ).then((outcome) => document.dispatchEvent(new CustomEvent("answer-${this.#asked}", { detail: JSON.stringify(outcome) })));`;
    const outcome = await this.#driver.executeAsyncScript(
      `const [call, name, done] = arguments;
       document.addEventListener(name, ({ detail }) => done(detail), { once: true });
       const script = document.createElement("script");
       script.textContent = call;
       document.head.append(script);
       script.remove();`,
      call,
      `answer-${this.#asked++}`,
    );
    const { answer, failure } = JSON.parse(outcome);
    if (failure) throw Object.assign(new Error(`${failure.message}\n${failure.stack}`), { code: failure.code });
    return answer;
  }
}
