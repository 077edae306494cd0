import { render } from "preact";
import { App } from "./app";
import { ChartFeed } from "./chart_feed";
import { Session } from "./session";
import "./style.css";

const session = new Session();
const feed = new ChartFeed();
session.database.subscribe((database) => feed.use(database));

render(<App session={session} feed={feed} />, document.getElementById("app") as HTMLElement);
