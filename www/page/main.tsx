import "./style.css";
import { render } from "preact";
import { App } from "./app";
import { Charts } from "./charts";
import { listen } from "./opening";
import { Session } from "./session";

const session = new Session();
const charts = new Charts();
session.database.subscribe((database) => charts.use(database));

listen();
render(<App session={session} charts={charts} />, document.getElementById("app") as HTMLElement);
