// Samples are stored in the browser, whether there is a network or not, and go on to a VictoriaMetrics server when there is.
import { open } from "sandglass";

const show = (id, text) => (document.getElementById(id).textContent = text);
const value = (id) => document.getElementById(id).value;
const db = await open({ name: "meters", retention: "1y" });

const count = async () => {
  const { series } = await db.query("sum(count_over_time(meter_reading[1y]))", { fresh: true });
  show("noted", series[0]?.value ?? 0);
};
document.getElementById("note").onclick = async () => {
  await db.append({ __name__: "meter_reading", meter: value("meter") }, [Date.now()], [Number(value("reading"))]);
  // Stored when this resolves: a device in a cellar may be switched off at any moment.
  await db.sync();
  await count();
};
await count();

// One tab sends. The browser hands the lock on when that tab is closed, and the next one goes on at the checkpoint.
navigator.locks.request("meters: push", async () => {
  for (;;) {
    try {
      // Goes on for ever. What could not be sent waits in the database, and is sent when the browser is online again.
      await db.push("/victoriametrics", {
        live: true,
        every: "1s",
        delay: "1s",
        checkpoint: localStorage.getItem("pushed") ?? undefined,
        onProgress: ({ checkpoint }) => {
          localStorage.setItem("pushed", checkpoint);
          show("state", "the server has what was noted until a moment ago");
        },
      });
    } catch (error) {
      // A server that refuses (a wrong password, say) is asked again in a minute.
      show("state", `${error.code}: ${error.message}`);
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    }
  }
});
addEventListener("offline", () => show("state", "offline: what is noted waits here"));
