// What is tested: alarms over the samples of a greenhouse.

/** Rooms whose mean of the last five minutes is below a limit. */
export async function coldRooms(db, limit) {
  const { series } = await db.query(`avg by (room) (avg_over_time(temperature_celsius[5m])) < ${limit}`, { fresh: true });
  return series.map(({ labels }) => labels.room).sort();
}
