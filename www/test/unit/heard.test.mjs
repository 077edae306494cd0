// What follows when an engine of another page says that it is there.
import assert from "node:assert/strict";
import { it } from "node:test";
import { source } from "./source.mjs";

const { heard } = await source("sharing/heard");

const here = (other) => ({ kind: "here", term: "b", since: 20, build: "test", isOpen: true, ...other });

it("an engine that is open is worked with, unless another one is that has the database since later", () => {
  assert.deepEqual(heard(here(), "x", undefined), { term: "b", since: 20 });
  assert.deepEqual(heard(here(), "x", { term: "a", since: 19 }), { term: "b", since: 20 });
  assert.equal(heard(here(), "x", { term: "a", since: 21 }), undefined, "it has lost the database, and does not know it yet");
  assert.equal(heard(here({ since: 21 }), "x", { term: "b", since: 20 }), undefined, "it is worked with already");
  assert.equal(heard(here({ isOpen: false }), "x", undefined), undefined, "nobody can work with it yet");
});

it("one of another build is refused, whatever is worked with", () => {
  for (const link of [undefined, { term: "a", since: 21 }])
    assert.match(heard(here({ build: "another", isOpen: false }), "x", link).message, /"x" is open in a tab with another version/);
});
