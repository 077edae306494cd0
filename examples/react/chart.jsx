// A chart of a range, as a component over uPlot.
import { useEffect, useRef } from "react";
import { toAlignedData } from "sandglass/uplot";
import { useQuery } from "sandglass/react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export function Chart({ database, title, expression }) {
  const place = useRef(null);
  const plot = useRef(null);
  const { data, error } = useQuery(expression, { database, range: "2m", step: "1s", fresh: true });
  useEffect(() => {
    plot.current = new uPlot({ title, width: 700, height: 220, series: [{}, { label: title, stroke: "teal" }] }, [[], []], place.current);
    return () => plot.current.destroy();
  }, [title]);
  useEffect(() => {
    if (data?.series.length > 0) plot.current.setData(toAlignedData(data));
  }, [data]);
  return (
    <>
      {error && <p role="alert">{error.message}</p>}
      <div ref={place} />
    </>
  );
}
