// Bodies of servers and agents, in Node: a scrape of all series each.
import { otlpBody, remoteWriteBody } from "../test/server/remote_write.mjs";
import { bodiesOf } from "./data.mjs";

/** Hours of scrapes in them. */
const HOURS = 1;

const scrapes = {
  remote_write:
    ({ series }) =>
    (_, at) =>
      remoteWriteBody(
        series.map(({ labels, timestamps, values }) => ({
          labels,
          timestamps: timestamps.subarray(at, at + 1),
          values: values.subarray(at, at + 1),
        })),
      ),
  otlp:
    ({ series }) =>
    (timestamp, at) =>
      otlpBody(series, timestamp, (s) => series[s].values[at]),
};

/** An hour of a data set as bodies of a format. */
export const bodiesIn = (format, dataSet) => bodiesOf(dataSet, HOURS, scrapes[format](dataSet));
