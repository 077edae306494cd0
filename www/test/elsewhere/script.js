import { open } from "sandglass";
import { app } from "./app.js";

console.log(await app(["memory"]));
// Not closed: the script ends all the same.
await open({ storage: "memory" });
