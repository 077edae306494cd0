// A worker of one's own with a writer in it.
import { Writer } from "./writer.mjs";

const writer = new Writer();

addEventListener("message", async ({ data: { id, call, args } }) => {
  try {
    postMessage({ id, answer: await writer[call](...args) });
  } catch (error) {
    postMessage({ id, failure: { code: error.code, message: error.message } });
  }
});
