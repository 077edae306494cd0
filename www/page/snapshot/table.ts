// A table with a row of names (CSV): which column is the time, which are metrics, and which are labels.

/** What an ingest is told of it, and what people are. */
export interface Table {
  csvFormat: string;
  words: string;
}

interface Column {
  name: string;
  /** The values of the first rows, empty ones left out. */
  values: readonly string[];
}

export const NUMBER = String.raw`[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+|NaN|nan|Inf|inf)`;
const IS_NUMBER = new RegExp(`^${NUMBER}$`);

const CLOCK = String.raw`(?<clock>[ T]\d\d:\d\d(?<seconds>:\d\d(?:\.\d+)?)?)?(?<zone>Z|[-+]\d\d:\d\d)?`;
const YEAR_FIRST = new RegExp(String.raw`^\d{4}(?<separator>[-/.])\d{1,2}\k<separator>\d{1,2}${CLOCK}$`);
const YEAR_LAST = new RegExp(String.raw`^(?<first>\d{1,2})(?<separator>[-/.])(?<second>\d{1,2})\k<separator>\d{4}${CLOCK}$`);
/** Digits since 1970, as `csvFormat` calls them. */
const UNIX: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^\d{18,19}$/, "unix_ns"],
  [/^\d{12,13}$/, "unix_ms"],
  [/^\d{9,10}$/, "unix_s"],
];
/** May be the name of anything that is counted. */
const NAME_OF_COUNTS = /^(?:at|when|ts|epoch)$/i;
const NAME_OF_TIMES = /^_?(?:time|timestamp|time ?stamp|ts|date|date ?time|datetime|when|at|time_?(?:s|ms|ns|utc)|unix(?:time)?|epoch)$/i;
const LOOKS_LIKE_A_DATE =
  /^(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})(?![\d.])|^(?:\w+,? )?(?:\d{1,2}[ -])?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -].*\d{4}/i;
const KNOWN = "2026-11-27 10:00:00, 2026-11-27T10:00:00Z, 27.11.2026 10:00, or whole seconds, milliseconds or nanoseconds since 1970";
/** More columns of a kind than this are counted. */
const NAMED = 4;

/**
 * The columns of a table, by its row of names and those behind it; nothing of what is no table.
 *
 * @throws Error when a column is a time in a form that can't be read for certain: in another's place the samples would get a wrong one
 */
export function tableOf(names: readonly string[], rows: readonly (readonly string[])[]): Table | undefined {
  const whole = rows.filter((row) => row.length === names.length);
  if (whole.length === 0 || rows[0]?.length !== names.length || names.some((name) => name.trim() === "")) return undefined;
  const columns = names.map((name, at) => ({
    name: name.trim(),
    values: whole.map((row) => row[at]!.trim()).filter((value) => value !== ""),
  }));
  const isMetric = ({ values }: Column) => values[0] === undefined || IS_NUMBER.test(values[0]);
  if (!columns.some(isMetric)) return undefined;
  const time = timeOf(columns);
  if (!columns.some((column) => column !== time?.column && isMetric(column))) return undefined;
  const kinds = columns.map((column) => (column === time?.column ? "time" : isMetric(column) ? "metric" : "label"));
  const csvFormat = columns.map(({ name }, at) =>
    kinds[at] === "time" ? `${at + 1}:time:${time!.format}` : `${at + 1}:${kinds[at]}:${name.replace(/[^\p{L}\p{N}_.]+/gu, "_")}`,
  );
  const named = (kind: string) => columns.filter((_, at) => kinds[at] === kind).map(({ name }) => `“${name}”`);
  const parts = [
    time === undefined ? "no column is a time, so that every sample has the file’s" : `“${time.column.name}” is the time`,
    listed(named("label"), "label"),
    listed(named("metric"), "metric"),
  ].filter((part) => part !== "");
  return {
    csvFormat: csvFormat.join(","),
    words: `a table (CSV) in which ${parts.slice(0, -1).join(", ")}${parts.length > 2 ? "," : ""} and ${parts.at(-1)}`,
  };
}

function listed(names: readonly string[], kind: string): string {
  if (names.length === 0) return "";
  if (names.length === 1) return `${names[0]} is a ${kind}`;
  return names.length > NAMED
    ? `${names.length} columns are ${kind}s`
    : `${names.slice(0, -1).join(", ")} and ${names.at(-1)} are ${kind}s`;
}

/** The column of the times: one that is called so, or else one that holds dates, or else digits; of those that can be read, if there are any. */
function timeOf(columns: readonly Column[]): { column: Column; format: string } | undefined {
  const filled = columns.filter(({ values }) => values.length > 0);
  const isCalled = ({ name, values }: Column) => NAME_OF_TIMES.test(name) && !(NAME_OF_COUNTS.test(name) && isCount(values[0]!));
  const isDated = ({ values }: Column) => !IS_NUMBER.test(values[0]!) && LOOKS_LIKE_A_DATE.test(values[0]!);
  const isCounted = ({ values }: Column) => UNIX.some(([pattern]) => pattern.test(values[0]!));
  const candidates = [isCalled, isDated, isCounted].flatMap((is) => filled.filter(is));
  for (const column of candidates) {
    const format = formatOfTimes(column);
    if (format !== undefined) return { column, format };
  }
  const [column] = candidates;
  if (column === undefined) return undefined;
  throw new Error(
    `The column “${column.name}” looks like a time, but “${column.values[0]}” is in none of the forms that are read for certain: ${KNOWN}. Write its times in one of these and open it again.`,
  );
}

/** A number that is no instant since 1970 in any unit. */
const isCount = (value: string): boolean => IS_NUMBER.test(value) && Math.abs(Number(value)) < 1e8;

/** How a column writes its times, as `csvFormat` calls it. */
function formatOfTimes({ values }: Column): string | undefined {
  const first = values[0]!;
  const unix = UNIX.find(([pattern]) => pattern.test(first));
  if (unix !== undefined) return unix[1];
  const { groups: yearFirst } = YEAR_FIRST.exec(first) ?? {};
  const { groups: yearLast } = YEAR_LAST.exec(first) ?? {};
  const { separator = "", clock = "", seconds = "", zone = "" } = yearFirst ?? yearLast ?? {};
  if (separator === "" || (zone !== "" && clock === "")) return undefined;
  let date = /^\d{4}.\d\d.\d\d(?!\d)/.test(first) ? ["2006", "01", "02"] : ["2006", "1", "2"];
  if (yearFirst === undefined) {
    const isDayFirst = separator === "." || values.some((value) => Number(YEAR_LAST.exec(value)?.groups?.first) > 12);
    const isMonthFirst = separator !== "." && values.some((value) => Number(YEAR_LAST.exec(value)?.groups?.second) > 12);
    if (isDayFirst === isMonthFirst) return undefined;
    date = isDayFirst ? ["2", "1", "2006"] : ["1", "2", "2006"];
  }
  const layout = [date.join(separator), clock && `${clock[0]}15:04`, seconds && ":05", zone && "Z07:00"].join("");
  return layout === "2006-01-02T15:04:05Z07:00" ? "rfc3339" : `custom:${layout}`;
}
