// A chapter's text beside the picture: what is told, what is to be looked at, the question, and the way through the others.

import { useEffect, useRef } from "preact/hooks";
import { AsideNote, LeavesOut } from "./aside_note";
import { CHAPTERS, type Chapter, sourceOf, WORDS } from "./chapters";
import type { Lesson } from "./lesson";
import type { Player } from "./player";
import { questionOf } from "./questions";
import style from "./lesson_panel.module.css";

export function LessonPanel(props: {
  player: Player;
  lesson: Lesson;
  chapter: Chapter;
  onAgain: () => void;
  onTurn: (by: number) => void;
}) {
  const { player, lesson, chapter, onAgain, onTurn } = props;
  const at = CHAPTERS.indexOf(chapter);
  const answered = lesson.answered.value;
  const told = useRef<HTMLDivElement>(null);
  const shown = useRef(chapter.id);
  useEffect(() => {
    if (shown.current === chapter.id) return;
    shown.current = chapter.id;
    // Another chapter is read from its heading on.
    if (told.current && told.current.getBoundingClientRect().top < 0) told.current.scrollIntoView();
  }, [chapter.id]);
  return (
    <div class={style.lesson}>
      <article class={style.chapter} aria-labelledby="chapter-title">
        <div class={style.told} ref={told}>
          <p class={style.chapterNumber}>
            {at + 1} of {CHAPTERS.length}
          </p>
          <h1 id="chapter-title">{chapter.title}</h1>
          {chapter.text.map((paragraph) => (
            <p key={paragraph}>{marked(paragraph)}</p>
          ))}
        </div>
        <p class={style.look} data-look="">
          {marked(chapter.look)}
        </p>
        <Asked key={chapter.id} player={player} lesson={lesson} chapter={chapter} />
        <div class={style.turn} data-turn="">
          <button type="button" disabled={at === 0} onClick={() => onTurn(-1)}>
            Back
          </button>
          <button type="button" onClick={onAgain}>
            Again
          </button>
          <button type="button" class="primary" disabled={at === CHAPTERS.length - 1} onClick={() => onTurn(1)}>
            Next
          </button>
        </div>
      </article>
      <nav class={style.contents} aria-label="Chapters">
        <LeavesOut says={chapter.leavesOut} />
        <AsideNote title="Words so far">
          <dl>
            {WORDS.filter(([word]) => chapterOfWord(word) <= at).map(([word, says]) => (
              <div key={word}>
                <dt>{word}</dt>
                <dd>{says}</dd>
              </div>
            ))}
          </dl>
        </AsideNote>
        <p class={`note ${style.files}`}>
          {chapter.files.map((file) => (
            <a key={file} href={sourceOf(file)}>
              <code>{file.replace("src/", "")}</code>
            </a>
          ))}
        </p>
        <ol class={style.chapters}>
          {CHAPTERS.map((other) => (
            <li key={other.id}>
              <a href={`#chapters/${other.id}`} aria-current={other === chapter ? "page" : undefined}>
                {other.title}
                {answered.has(other.id) && (
                  <span class={style.done} role="img" aria-label="its question is answered">
                    ✓
                  </span>
                )}
              </a>
            </li>
          ))}
        </ol>
      </nav>
    </div>
  );
}

/** The chapter's question. Whether it is answered is seen from what the engine does, a few times a second. */
function Asked({ player, lesson, chapter }: { player: Player; lesson: Lesson; chapter: Chapter }) {
  const question = questionOf(chapter.id);
  const shown = lesson.shown.value;
  // Whatever an answer can come from.
  const seen = [
    player.beat.value,
    player.print.value,
    player.history.value,
    player.look.part.value,
    player.look.block.value,
    lesson.race.value,
    lesson.walk.value,
  ];
  useEffect(() => lesson.look(player, chapter), [lesson, player, chapter, ...seen]);
  if (!question) return null;
  return (
    <section class={style.question} aria-label="Your turn" data-answered={shown ? "" : undefined}>
      <p>
        <strong>{shown ? "Done." : "Your turn."}</strong> {question.asks}
      </p>
      <p role="status" class={style.answer}>
        {shown}
      </p>
      {!shown && (
        <details>
          <summary>A hint</summary>
          <p>{question.hint}</p>
        </details>
      )}
    </section>
  );
}

/** A word between asterisks is defined where it stands. */
function marked(text: string) {
  return text.split("*").map((piece, i) => (i % 2 === 1 ? <dfn key={i}>{piece}</dfn> : piece));
}

/** Where a word is defined: the place of that chapter. */
function chapterOfWord(word: string): number {
  return CHAPTERS.findIndex(({ text }) => text.some((paragraph) => new RegExp(`\\*${word}s?\\*`).test(paragraph)));
}
