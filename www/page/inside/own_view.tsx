// Numbers of one's own, pasted or drawn, followed to the bytes that an engine makes of them.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type BlockDetails, type Database, open } from "sandglass/inline";
import { numbersIn } from "../model/numbers";
import { messageOf } from "../model/trouble";
import { FIRST_EXAMPLE, NumbersInput } from "./numbers_input";
import { BlockView } from "./zoom_view";
import style from "./own_view.module.css";

const START = Date.UTC(2024, 2, 10, 12);
/** What a block holds at most. */
const MOST = 8192;
/** Numbers are encoded when nobody has typed or drawn for so long. */
const SETTLED_MS = 120;

export function OwnView({ seriesNumber }: { seriesNumber: (labels: Record<string, string> | null) => number }) {
  const [text, setText] = useState(FIRST_EXAMPLE);
  const [encodedBlock, setEncoded] = useState<{ block: BlockDetails; turn: number } | undefined>();
  const [problem, setProblem] = useState("");
  const turn = useRef(0);
  const found = useMemo(() => numbersIn(text, MOST), [text]);
  const { numbers } = found;
  useEffect(() => {
    const mine = ++turn.current;
    if (numbers.length === 0) {
      setEncoded(undefined);
      return;
    }
    const encode = () =>
      encoded(numbers)
        .then((block) => {
          if (mine !== turn.current) return;
          setEncoded({ block, turn: mine });
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
      <NumbersInput text={text} onText={setText} found={found} whyNoMore="a block holds no more" />
      {problem && (
        <p class="reading problem" role="alert">
          {problem}
        </p>
      )}
      {encodedBlock && <BlockView key={encodedBlock.turn} block={encodedBlock.block} look={{ seriesNumber }} />}
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
