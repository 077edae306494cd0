// A fresh database for each test, in memory, with a clock that moves only when it is told to: no waiting, no clearing up.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { open } from "sandglass";
import { coldRooms } from "./alarms.js";

const MINUTE = 60_000;
let db;
beforeEach(async () => {
  db = await open({ storage: "memory", clock: "manual", startTime: Date.UTC(2026, 0, 15, 12) });
});
afterEach(() => db.close());

const measure = (room, degrees) => db.append({ __name__: "temperature_celsius", room }, [db.now()], [degrees]);

test("a room that has been cold for five minutes is told", async () => {
  for (let minute = 0; minute < 5; minute++) {
    await measure("attic", 4);
    await measure("cellar", 11);
    await db.tick(MINUTE);
  }
  assert.deepEqual(await coldRooms(db, 5), ["attic"]);
});

test("one that was cold an hour ago is not", async () => {
  await measure("attic", 4);
  await db.tick(60 * MINUTE);
  assert.deepEqual(await coldRooms(db, 5), []);
});

test("samples of the last second are found when they are asked for fresh", async () => {
  await measure("attic", 4);
  await db.tick(10);
  assert.deepEqual(await coldRooms(db, 5), ["attic"]);
});
