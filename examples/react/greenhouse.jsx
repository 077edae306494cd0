import { useEffect, useState } from "react";
import { useDatabase, useQuery } from "sandglass/react";
import { Chart } from "./chart.jsx";

export function Greenhouse() {
  // Every component that asks for "greenhouse" gets the same object; it is closed after the last of them.
  const { database, error, reopen } = useDatabase({ name: "greenhouse", retention: "30d" });
  const [room, setRoom] = useState("attic");

  // The sensors. What is appended while the component goes is stored before the database closes.
  useEffect(() => {
    if (database === undefined) return;
    const sensors = ["attic", "cellar"].map((room) => database.series({ __name__: "temperature_celsius", room }));
    const timer = setInterval(() => database.appendRow(sensors, Date.now(), [20 + Math.random(), 11 + Math.random()]), 250);
    return () => clearInterval(timer);
  }, [database]);

  if (error) return <button onClick={reopen}>{error.message}: try again</button>;
  return (
    <>
      <h1>A greenhouse</h1>
      <p>
        {["attic", "cellar"].map((name) => (
          <button key={name} disabled={name === room} onClick={() => setRoom(name)}>
            {name}
          </button>
        ))}{" "}
        <Newest database={database} room={room} />
      </p>
      <Chart database={database} title="temperature, °C" expression={`avg_over_time(temperature_celsius{room="${room}"}[2s])`} />
    </>
  );
}

function Newest({ database, room }) {
  const { data, isPending } = useQuery(`last_over_time(temperature_celsius{room="${room}"}[10s])`, { database, every: 250, fresh: true });
  const value = data?.type === "vector" ? data.series[0]?.value : undefined;
  return <output id="newest">{isPending || value === undefined ? "…" : `${room}: ${value.toFixed(1)} °C`}</output>;
}
