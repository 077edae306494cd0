// Every tab opens the database by its name and gets a whole object. One of them has the engine; close that tab, and another one takes over.
import { open } from "sandglass";

const show = (id, text) => (document.getElementById(id).textContent = text);
const db = await open({ name: "shared by tabs", retention: "30d" });
show("state", `this tab is a ${db.opened.role} of the database`);

// Each tab has a series of its own, so that it is seen who has written what.
const tab = Math.random().toString(36).slice(2, 6);
const clicks = db.series({ __name__: "clicks", tab });
document.getElementById("write").onclick = async () => {
  await db.append(clicks, [Date.now()], [1]);
  await db.flush(); // with the engine from here on, for all tabs to find
};

// What is counted is what all have written.
db.live("count_over_time(clicks[30d])", { range: 0, step: "1s", every: 250, fresh: true }, ({ series }) => {
  const counts = series.map(({ labels, values }) => [labels.tab, values.at(-1)]);
  show("count", counts.reduce((sum, [, count]) => sum + count, 0));
  document.getElementById("tabs").replaceChildren(
    ...counts.map(([name, count]) => {
      const item = document.createElement("li");
      item.textContent = `${name === tab ? "this tab" : `tab ${name}`}: ${count}`;
      return item;
    }),
  );
});

// Only a database that is lost for this tab needs to be opened anew; one that moves to another tab is not.
const { reason, error } = await db.closed;
show("state", reason === "closed" ? "closed" : `lost: ${error?.message}`);
