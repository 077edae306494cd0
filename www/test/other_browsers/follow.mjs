// In a page of a browser that nothing drives: asks the test for what to do, does it and answers, until the page goes.
const { searchParams } = new URL(location.href);
const tab = searchParams.get("tab");
let load = crypto.randomUUID();
let isRestored = false;

const path = (what) => `/post/${what}/${tab}/${load}`;

async function tell(what, body) {
  const response = await fetch(path(what), { method: "POST", body: JSON.stringify(body ?? null) });
  return response.status === 204 ? undefined : response.json();
}

async function follow() {
  for (;;) {
    const { id, run, argument, isLast } = await tell("next", { isRestored });
    // biome-ignore lint/security/noGlobalEval: it is the test's own code.
    const call = globalThis.eval(`(${run})`);
    // The page goes with this one, and asks for nothing that it could not hear.
    if (isLast) return void call(argument);
    const outcome = await Promise.resolve()
      .then(() => call(argument))
      .then(
        (answer) => ({ answer }),
        (error) => ({ failure: { code: error?.code, message: String(error?.message ?? error), stack: String(error?.stack) } }),
      );
    await tell(`answer-${id}`, outcome);
  }
}

const trouble = (reason) => navigator.sendBeacon(path("trouble"), `${reason?.message ?? reason}\n${reason?.stack ?? ""}`);
addEventListener("error", ({ error, message }) => trouble(error ?? message));
addEventListener("unhandledrejection", ({ reason }) => trouble(reason));
addEventListener("pagehide", () => navigator.sendBeacon(path("left")));
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  load = crypto.randomUUID();
  isRestored = true;
  void follow();
});
void follow();
