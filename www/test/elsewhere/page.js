import { app } from "./app.js";

app(["memory", "indexeddb", "opfs"]).then(
  (said) => (document.title = said),
  (error) => (document.title = `failed: ${error.code} ${error.message}`),
);
