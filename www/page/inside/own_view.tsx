// Numbers of one's own, pasted or drawn, followed to the bytes that an engine makes of them.

import { useEffect, useRef, useState } from "preact/hooks";
import { type BlockDetails, type Database, open } from "sandglass/inline";
import { grouped } from "../model/format";
import { numbersIn } from "../model/numbers";
import { messageOf } from "../model/trouble";
import { BlockView } from "./zoom_view";
import style from "./own_view.module.css";

const START = Date.UTC(2024, 2, 10, 12);
/** What a block holds at most. */
const MOST = 8192;
const DRAWN = 120;
/** Numbers are encoded when nobody has typed or drawn for so long. */
const SETTLED_MS = 120;

const EXAMPLES: readonly (readonly [name: string, at: (i: number) => number])[] = [
  ["a thermometer", (i) => Math.round((20 + 2 * Math.sin(i / 9)) * 10) / 10],
  ["a counter", (i) => 1000 + 42 * i],
  ["twelve digits", (i) => Math.round(1e11 * (2 + Math.sin(i * i))) / 1e11],
];
const exampleText = (at: (i: number) => number): string => Array.from({ length: DRAWN }, (_, i) => at(i)).join(" ");

export function OwnView({ seriesNumber }: { seriesNumber: (labels: Record<string, string> | null) => number }) {
  const [text, setText] = useState(exampleText((EXAMPLES[0] as (typeof EXAMPLES)[0])[1]));
  const [found, setFound] = useState<{ block: BlockDetails; turn: number } | undefined>();
  const [problem, setProblem] = useState("");
  const turn = useRef(0);
  const { numbers, refused } = numbersIn(text, MOST);
  useEffect(() => {
    const mine = ++turn.current;
    if (numbers.length === 0) {
      setFound(undefined);
      return;
    }
    const encode = () =>
      encoded(numbers)
        .then((block) => {
          if (mine !== turn.current) return;
          setFound({ block, turn: mine });
          setProblem("");
        })
        .catch((error) => mine === turn.current && setProblem(messageOf(error)));
    const timer = setTimeout(encode, SETTLED_MS);
    return () => {
      clearTimeout(timer);
      turn.current++;
    };
  }, [text]);
  return (
    <section class={`card ${style.own}`} aria-labelledby="own-title">
      <h2 id="own-title">Numbers of your own</h2>
      <p class="hint">Paste a column of them, or draw a curve: one sample a second, encoded by the engine as a part of its own.</p>
      <div class={style.ownInput}>
        <label>
          <span class="hidden">Numbers, with anything but digits between them</span>
          <textarea rows={4} spellcheck={false} value={text} onInput={(event) => setText(event.currentTarget.value)} />
        </label>
        <Sketch numbers={numbers} onDraw={(drawn) => setText(drawn.join(" "))} />
      </div>
      <div class="controls">
        {EXAMPLES.map(([name, at]) => (
          <button key={name} type="button" class="chip" onClick={() => setText(exampleText(at))}>
            {name}
          </button>
        ))}
        <span class="note" role="status">
          {grouped(numbers.length)} numbers
          {refused.length > 0 && `; left out: ${refused.slice(0, 3).join(", ")}${refused.length > 3 ? " …" : ""}`}
        </span>
      </div>
      {problem && (
        <p class="reading problem" role="alert">
          {problem}
        </p>
      )}
      {found && <BlockView key={found.turn} block={found.block} look={{ seriesNumber }} />}
    </section>
  );
}

/** An engine for one question: it holds these numbers and nothing else. */
async function encoded(numbers: readonly number[]): Promise<BlockDetails> {
  const database: Database = await open({ storage: "memory", clock: "manual", startTime: START + numbers.length * 1000, retention: "90d" });
  try {
    await database.append(
      { __name__: "own" },
      numbers.map((_, i) => START + i * 1000),
      numbers,
    );
    await database.flush();
    const { partitions } = await database.inspect();
    const part = partitions[0]?.parts[0];
    if (!part) throw new Error("none of these numbers was stored");
    return await database.inspectBlock(part.id, 0);
  } finally {
    await database.close().catch(() => {});
  }
}

/** The numbers as a curve, which a pointer can draw anew. */
function Sketch({ numbers, onDraw }: { numbers: readonly number[]; onDraw: (numbers: number[]) => void }) {
  const drawing = useRef<number[] | undefined>(undefined);
  const low = Math.min(...numbers);
  const high = Math.max(...numbers);
  const points = numbers
    .map(
      (value, i) =>
        `${((300 * i) / Math.max(1, numbers.length - 1)).toFixed(1)},${(74 - (68 * (value - low)) / (high - low || 1)).toFixed(1)}`,
    )
    .join(" ");
  const onPointer = (event: PointerEvent & { currentTarget: SVGSVGElement }) => {
    if (drawing.current === undefined) return;
    const box = event.currentTarget.getBoundingClientRect();
    const at = Math.min(DRAWN - 1, Math.max(0, Math.round(((event.clientX - box.x) / box.width) * (DRAWN - 1))));
    const value = Math.round(1000 * Math.min(1, Math.max(0, 1 - (event.clientY - box.y) / box.height))) / 10;
    const { length } = drawing.current;
    const before = drawing.current[length - 1] ?? value;
    // What the pointer has jumped over is a straight line.
    for (let i = length; i <= at; i++)
      drawing.current.push(i === at ? value : Math.round((before + ((value - before) * (i - length + 1)) / (at - length + 1)) * 10) / 10);
    onDraw(drawing.current.slice());
  };
  return (
    <svg
      class={style.sketch}
      viewBox="0 0 300 80"
      preserveAspectRatio="none"
      role="img"
      aria-label="The numbers as a curve; a pointer that is drawn over it from left to right writes others"
      onPointerDown={(event) => {
        drawing.current = [];
        event.currentTarget.setPointerCapture(event.pointerId);
        onPointer(event);
      }}
      onPointerMove={onPointer}
      onPointerUp={() => (drawing.current = undefined)}
      onPointerCancel={() => (drawing.current = undefined)}
    >
      <polyline points={points} />
    </svg>
  );
}
