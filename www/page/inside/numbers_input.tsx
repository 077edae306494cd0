// Numbers are pasted, drawn as a curve, or taken from an example.

import { useRef } from "preact/hooks";
import { grouped, plural } from "../model/format";
import type { Numbers } from "../model/numbers";
import style from "./numbers_input.module.css";

const DRAWN = 120;
/** Of what is no number so many are named, by so many of their letters. */
const NAMED = 3;
const NAMED_LETTERS = 16;

const EXAMPLES: readonly (readonly [name: string, at: (i: number) => number])[] = [
  ["a thermometer", (i) => Math.round((20 + 2 * Math.sin(i / 9)) * 10) / 10],
  ["a counter", (i) => 1000 + 42 * i],
  ["twelve digits", (i) => Math.round(1e11 * (2 + Math.sin(i * i))) / 1e11],
];
const exampleText = (at: (i: number) => number): string => Array.from({ length: DRAWN }, (_, i) => at(i)).join(" ");

export const FIRST_EXAMPLE = exampleText((EXAMPLES[0] as (typeof EXAMPLES)[0])[1]);

interface Props {
  text: string;
  onText: (text: string) => void;
  /** What was found in the text. */
  found: Numbers;
  /** Why not all of them are taken, when there are too many. */
  whyNoMore: string;
}

export function NumbersInput({ text, onText, found, whyNoMore }: Props) {
  return (
    <>
      <div class={style.numbers}>
        <label>
          <span class="hidden">Numbers, with spaces, commas or line breaks between them</span>
          <textarea rows={4} spellcheck={false} value={text} onInput={(event) => onText(event.currentTarget.value)} />
        </label>
        <Sketch numbers={found.numbers} onDraw={(drawn) => onText(drawn.join(" "))} />
      </div>
      <div class={`controls ${style.examples}`}>
        {EXAMPLES.map(([name, at]) => (
          <button key={name} type="button" class="chip" onClick={() => onText(exampleText(at))}>
            {name}
          </button>
        ))}
        <span class="note" role="status">
          {saysOf(found, whyNoMore)}
        </span>
      </div>
    </>
  );
}

function saysOf({ numbers, found, refused }: Numbers, whyNoMore: string): string {
  const taken =
    numbers.length === 0
      ? "No number yet. Write some, such as 21.5 or 1e-3"
      : numbers.length < found
        ? `The first ${grouped(numbers.length)} of ${grouped(found)} numbers: ${whyNoMore}`
        : plural(numbers.length, "number");
  if (refused.length === 0) return taken;
  const named = refused.slice(0, NAMED).map((word) => (word.length > NAMED_LETTERS ? `${word.slice(0, NAMED_LETTERS)}…` : word));
  const more = refused.length - named.length;
  return `${taken}; left out: ${named.join(", ")}${more > 0 ? ` and ${grouped(more)} more` : ""}`;
}

/** The numbers as a curve, which a pointer can draw anew. */
function Sketch({ numbers, onDraw }: { numbers: readonly number[]; onDraw: (numbers: number[]) => void }) {
  const drawing = useRef<number[] | undefined>(undefined);
  const low = Math.min(...numbers);
  const high = Math.max(...numbers);
  const points = numbers
    .map(
      (value, i) =>
        // Halves, as the distance of the greatest numbers is none.
        `${((300 * i) / Math.max(1, numbers.length - 1)).toFixed(1)},${(74 - (68 * (value / 2 - low / 2)) / (high / 2 - low / 2 || 1)).toFixed(1)}`,
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
