// Items of the index taken to pieces: which bytes mean what (index-format §5), and the items that a selector's walk comes by.

export interface Field {
  name: string;
  /** Hex digits. */
  hex: string;
  /** What they say, for people. */
  says: string;
}

export interface IndexItem {
  kind: number;
  hex: string;
  fields: readonly Field[];
}

/** What the first byte stands for. */
export const KINDS: readonly { name: string; says: string }[] = [
  { name: "name → TSID", says: "from a series’ whole name to its TSID" },
  { name: "label → metric ids", says: "which series carry a label, ever" },
  { name: "metric id → TSID", says: "from a series’ number to its TSID" },
  { name: "metric id → name", says: "from a series’ number to its name" },
  { name: "deleted metric id", says: "a series that no search shall find" },
  { name: "day → metric id", says: "a series with samples on a day" },
  { name: "day and label → metric ids", says: "which series carry a label and have samples on a day" },
  { name: "day and name → TSID", says: "as the first, for one day; newer servers write it" },
];

const DAY_MS = 86_400_000;
const SEPARATOR = "01";
const COMPOSITE = "fe";
const REVERSED = "ff";
const MOST_IDS = 6;

const text = (hex: string): string =>
  new TextDecoder().decode(Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16)));
const unescaped = (hex: string): string =>
  text((hex.match(/00..|../g) ?? []).map((byte) => (byte.length === 4 ? `0${byte[3]}` : byte)).join(""));

export function itemOf(hex: string): IndexItem {
  const kind = Number.parseInt(hex.slice(0, 2), 16);
  const fields: Field[] = [{ name: "kind", hex: hex.slice(0, 2), says: KINDS[kind]?.name ?? "unknown" }];
  let rest = hex.slice(2);
  const take = (name: string, digits: number, says: (hex: string) => string) => {
    const taken = rest.slice(0, digits);
    rest = rest.slice(digits);
    if (taken) fields.push({ name, hex: taken, says: says(taken) });
  };
  const id = (name = "metric id") => take(name, 16, (bytes) => `…${bytes.slice(-6)}`);
  const day = () => take("day", 16, (bytes) => new Date(Number(BigInt(`0x${bytes}`)) * DAY_MS).toISOString().slice(0, 10));
  const tsid = () => take("TSID", 48, (bytes) => `…${bytes.slice(-6)}`);
  const upTo = (name: string, says: (hex: string) => string = unescaped) => {
    const end = lengthUpTo(rest);
    take(name, end, (bytes) => says(bytes.slice(0, -2)));
  };
  const name = () => {
    upTo("name");
    while (rest !== "" && !rest.startsWith("02") && lengthUpTo(rest) <= rest.length) {
      upTo("label");
      upTo("value");
    }
  };
  const row = () => {
    upTo("label", labelOf);
    upTo("value");
    for (let n = 0; rest.length >= 16 && n < MOST_IDS; n++) id();
    if (rest !== "") take("more metric ids", rest.length, (bytes) => `${bytes.length / 16} more`);
  };
  const nameToTsid = () => {
    name();
    take("separator", 2, () => "");
    tsid();
  };
  if (kind === 0) nameToTsid();
  else if (kind === 1) row();
  else if (kind === 2) {
    id();
    tsid();
  } else if (kind === 3) {
    id();
    name();
  } else if (kind === 4) id();
  else if (kind === 5) {
    day();
    id();
  } else if (kind === 6) {
    day();
    row();
  } else if (kind === 7) {
    day();
    nameToTsid();
  }
  if (rest !== "") take("rest", rest.length, () => "");
  return { kind, hex, fields };
}

/** Digits up to the end of an escaped text, its separator included. */
function lengthUpTo(hex: string): number {
  for (let at = 0; at < hex.length; at += 2) {
    const byte = hex.slice(at, at + 2);
    if (byte === "00") at += 2;
    else if (byte === SEPARATOR) return at + 2;
  }
  return hex.length + 2;
}

function labelOf(hex: string): string {
  if (hex === "") return "__name__";
  if (hex === REVERSED) return "__name__ reversed";
  if (!hex.startsWith(COMPOSITE)) return unescaped(hex);
  const plain = (hex.match(/00..|../g) ?? []).map((byte) => (byte.length === 4 ? `0${byte[3]}` : byte));
  // Names of 128 bytes and more have a length of two bytes.
  const first = Number.parseInt(plain[1] ?? "0", 16);
  const [from, length] = first < 128 ? [2, first] : [3, (first & 127) | (Number.parseInt(plain[2] ?? "0", 16) << 7)];
  return `${text(plain.slice(from, from + length).join(""))} with ${text(plain.slice(from + length).join(""))}`;
}

// ---- a selector's walk ---------------------------------------------------------------------------------------------------

export interface WalkStep {
  says: string;
  /** Hex digits that are looked for: the first item that does not come before them is found by halving. */
  key: string;
  item: string;
}

export interface Walk {
  selector: string;
  steps: readonly WalkStep[];
}

/** How a series with a name and a label is found among these items: the last one registered that has both. */
export function walkOf(items: readonly string[]): Walk | undefined {
  const named = items.findLast((item) => item.startsWith("03") && itemOf(item).fields.length >= 5);
  if (!named) return undefined;
  const [, , group, label, value] = itemOf(named).fields;
  if (!group || !label || !value) return undefined;
  // Rows of a day are searched when few days are wanted: the newest.
  const keys = label.hex.slice(0, -2);
  const names = group.hex.slice(0, -2);
  const dayRow = items.findLast(
    (item) =>
      item.startsWith("06") &&
      itemOf(item).fields[2]?.says === `${group.says} with ${label.says}` &&
      itemOf(item).fields[3]?.says === value.says,
  );
  if (!dayRow) return undefined;
  const row = itemOf(dayRow);
  const ids = row.fields.filter((field) => field.name === "metric id");
  const id = ids[0]?.hex ?? "";
  const before = row.fields.slice(0, 4).reduce((digits, field) => digits + field.hex.length, 0);
  const steps: WalkStep[] = [
    {
      says: `On ${row.fields[1]?.says}, name and label stand under one key: this row has metric ids of series that carry both. Other parts may have more rows of this key.`,
      key: dayRow.slice(0, before),
      item: dayRow,
    },
  ];
  const tsid = items.find((item) => item.startsWith(`02${id}`));
  if (tsid)
    steps.push({ says: "Each metric id leads to its TSID, by which the blocks of all parts are sorted.", key: `02${id}`, item: tsid });
  const name = items.find((item) => item.startsWith(`03${id}`));
  if (name) steps.push({ says: "And to the name, for the answer.", key: `03${id}`, item: name });
  return keys !== "" && names !== "" ? { selector: `${group.says}{${label.says}="${value.says}"}`, steps } : undefined;
}
