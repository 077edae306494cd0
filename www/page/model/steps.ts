// The steps of a sample's walk through the engine, and which of them an event tells of.

import type { EngineEvent } from "sandglass";
import type { Change } from "./engine";

export type StepName =
  | "call"
  | "register"
  | "partition"
  | "shard"
  | "overflow"
  | "flush"
  | "inmemory"
  | "block"
  | "disk"
  | "choose"
  | "streams"
  | "swap"
  | "big"
  | "remove"
  | "retention"
  | "snapshot"
  | "index"
  | "select";

/** How often each was taken by what an event tells, where that is not once. `change` is what the event has done to the model. */
export function stepsOf(event: EngineEvent, change: Change | undefined): readonly (readonly [StepName, times?: number])[] {
  switch (event.type) {
    case "rowsAdded":
      return event.pendingRows < event.rows ? [["shard"], ["overflow"]] : [["shard"]];
    case "rawRowsFlushed":
      return [["flush"]];
    case "partCreated": {
      const steps: [StepName, number?][] = [["block", event.blocks]];
      if (event.class === "inmemory") steps.push(["inmemory"]);
      else if (change?.type === "born" && change.by?.reason === "flush") steps.push(["disk"]);
      if (event.class === "big") steps.push(["big"]);
      return steps;
    }
    case "mergeStarted":
      return event.reason === "flush" ? [] : [["choose"]];
    case "mergeFinished":
      return [["streams"]];
    case "partRetired":
      return [["swap"]];
    case "partRemoved":
      return [["remove"]];
    case "partitionCreated":
      return [["partition"]];
    case "partitionDropped":
      return [["retention"]];
    case "seriesRegistered":
      return [["register", event.series]];
    case "indexFlushed":
    case "indexMerged":
      return [["index"]];
    case "snapshotCreated":
      return [["snapshot"]];
    default:
      return [];
  }
}
