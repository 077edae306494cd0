// A worker of one's own, see places.mjs.
let object;

addEventListener("message", async ({ data: { id, method, args } }) => {
  try {
    if (method === "begin") {
      object = new (await import(args[0])).default();
      postMessage({ id });
    } else {
      postMessage({ id, answer: await object[method](...args) });
    }
  } catch (error) {
    postMessage({ id, failure: { code: error.code, message: error.message } });
  }
});
