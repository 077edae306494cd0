// Bodies on their way in, with an engine that is only played.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { source } from "./source.mjs";

const { ingest } = await source("stream/ingest");
const { copied } = await source("base/realms");

const RESULT = { series: 1, samples: 1, rejected: 0, errors: [] };
const LINES = "a 1\n".repeat(400_000);

/** A port whose answers come in the order of the pieces, each after a moment. */
function played({ aheadBytes = 0, asked = () => RESULT } = {}) {
  let end;
  const port = {
    aheadBytes,
    underWay: 0,
    most: 0,
    bodies: [],
    ended: new Promise((resolve) => (end = resolve)),
    end: (reason) => end(reason),
    now: () => 0,
    async ask(request) {
      if (request.body !== undefined) port.bodies.push(Buffer.from(request.body).toString());
      port.most = Math.max(port.most, ++port.underWay);
      await new Promise((resolve) => setTimeout(resolve, 2));
      port.underWay--;
      return asked(request, port);
    },
  };
  return port;
}

const stalled = () => new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode("a 1\n")) });

describe("a body", () => {
  it("goes piece by piece, with as many ahead as the port takes", async () => {
    const near = played();
    assert.equal((await ingest(near, LINES, { format: "prometheus" })).samples, RESULT.samples);
    const far = played({ aheadBytes: 1024 * 1024 });
    await ingest(far, LINES, { format: "prometheus" });
    assert.deepEqual([near.most, far.most], [1, 4]);
    assert.equal(far.bodies.join(""), LINES);
  });

  it("is closed in the engine when a piece of it has failed", async () => {
    const kinds = [];
    const interrupted = Object.assign(new Error("gone"), { code: "interrupted" });
    const port = played({
      asked: ({ kind }, port) => {
        kinds.push(kind);
        if (port.bodies.length === 2 && kind === "ingestPiece") throw interrupted;
        return kind === "ingestOpen" ? 7 : RESULT;
      },
    });
    await assert.rejects(ingest(port, LINES, { format: "prometheus" }), interrupted);
    assert.deepEqual(kinds, ["ingestOpen", "ingestPiece", "ingestPiece", "ingestClose"]);
  });

  for (const format of ["prometheus", "influx"])
    it(`of a source that brings no more (${format}) ends with the database`, async () => {
      const closed = Object.assign(new Error("closed"), { code: "closed" });
      let isOver = false;
      const port = played({
        asked: ({ kind }) => {
          if (isOver) throw closed;
          return kind === "ingestOpen" ? 7 : RESULT;
        },
      });
      const going = ingest(port, stalled(), { format });
      setTimeout(() => ((isOver = true), port.end(closed)), 30);
      await assert.rejects(going, closed);
    });

  it("of bytes is the caller's own again as soon as the call has returned", () => {
    const bytes = new TextEncoder().encode("a 1\n");
    const taken = copied(bytes);
    bytes.fill(0);
    assert.equal(new TextDecoder().decode(taken), "a 1\n");
    assert.equal(new TextDecoder().decode(copied(taken.buffer)), "a 1\n");
    const text = "text";
    assert.equal(copied(text), text);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    assert.throws(() => copied(bytes), { code: "invalid" });
  });
});
