// Series on their way from an engine to the user.

import type { Labels, SeriesData } from "../api/samples.js";
import type { LabelSetsText } from "./requests.js";

/** Some series: their label sets, and for each in turn its timestamps and its values. */
export interface SeriesPiece {
  labels: LabelSetsText;
  columns: Float64Array[];
}

export function seriesOf({ labels, columns }: SeriesPiece): SeriesData[] {
  return readLabelSets(labels).map((labels, i) => ({ labels, timestamps: columns[2 * i]!, values: columns[2 * i + 1]! }));
}

export function readLabelSets(text: LabelSetsText): Labels[] {
  return JSON.parse(text) as Labels[];
}
