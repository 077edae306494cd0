// A box to write an expression in.

import {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  closeCompletion,
  completionStatus,
  selectedCompletion,
  selectedCompletionIndex,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from "@codemirror/commands";
import { bracketMatching } from "@codemirror/language";
import { type Diagnostic, forceLinting, linter } from "@codemirror/lint";
import { EditorState, Prec, StateEffect, type Text } from "@codemirror/state";
import { drawSelection, EditorView, keymap, placeholder } from "@codemirror/view";
import { useEffect, useRef } from "preact/hooks";
import type { Answer, Explorer } from "./explorer";
import { completionFrom } from "./completion";
import { highlighting, metricsql, words } from "./language";
import { letter } from "./lines";

/** A mistake is told when nothing was typed for so long, or when the expression was run. */
const CHECK_MS = 700;

/** The text is as it was, but what was said of it may hold no more. */
const recheck = StateEffect.define<null>();

const theme = EditorView.theme({
  "&": {
    fontSize: "var(--text-2)",
    backgroundColor: "var(--sunk)",
    color: "var(--ink)",
    borderRadius: "var(--radius-3)",
    border: "1px solid transparent",
  },
  "&:hover": { borderColor: "var(--edge)" },
  "&.cm-focused": {
    outline: "2px solid color-mix(in srgb, var(--accent) 30%, transparent)",
    backgroundColor: "var(--card)",
    borderColor: "var(--accent)",
  },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-content": { padding: "8px 12px", caretColor: "var(--ink)", minHeight: "36px" },
  ".cm-line": { padding: "0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-placeholder": { color: "var(--muted)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", color: "inherit" },
  "&.cm-focused .cm-nonmatchingBracket": { backgroundColor: "var(--danger-soft)", color: "inherit" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 24%, transparent)",
  },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--danger) 1px", textUnderlineOffset: "4px" },
  ".cm-tooltip": {
    background: "var(--card)",
    color: "var(--ink)",
    border: "1px solid var(--edge)",
    borderRadius: "var(--radius-3)",
    boxShadow: "var(--shadow-over)",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": {
    fontFamily: "var(--mono)",
    fontSize: "var(--text-2)",
    maxHeight: "17em",
    padding: "4px",
    maxWidth: "min(560px, 92vw)",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": {
    padding: "4px 8px",
    borderRadius: "var(--radius-2)",
    overflow: "hidden",
    textOverflow: "ellipsis",
  },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { background: "var(--accent-soft)", color: "var(--ink)" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700", color: "var(--accent)" },
  ".cm-completionDetail": { fontStyle: "normal", color: "var(--muted)", marginLeft: "2px" },
  ".cm-tooltip.cm-completionInfo": { padding: "8px 11px", fontSize: "var(--text-2)", maxWidth: "280px" },
  ".cm-diagnostic": { padding: "7px 11px", borderLeft: "3px solid var(--danger)", fontSize: "var(--text-2)", fontFamily: "var(--mono)" },
});

export function QueryBox({ explorer, at }: { explorer: Explorer; at: number }) {
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<EditorView | undefined>(undefined);
  const draft = explorer.drafts.value[at] ?? "";
  const answer = explorer.answers.value[at];
  const { dialect } = explorer.view.value;

  useEffect(() => {
    if (!host.current) return;
    const run = (view: EditorView): boolean => {
      if (completionStatus(view.state) === "active") {
        const chosen = selectedCompletion(view.state);
        const [typed = ""] = /[\w:.]*$/.exec(view.state.sliceDoc(0, view.state.selection.main.head)) ?? [];
        // Taken is what was gone to, or what goes on as it was typed; not what has the letters somewhere, nor what stands there already.
        const goesOn =
          chosen !== null &&
          typed !== "" &&
          chosen.label.length > typed.length &&
          chosen.label.toLowerCase().startsWith(typed.toLowerCase());
        if ((goesOn || (selectedCompletionIndex(view.state) ?? 0) > 0) && acceptCompletion(view)) return true;
      }
      // One that is still being looked for must not open over the answer.
      closeCompletion(view);
      explorer.run();
      return true;
    };
    const complete = completionFrom(
      () => explorer.database.peek(),
      () => explorer.view.peek().dialect,
    );
    const view = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: explorer.drafts.peek()[at] ?? "",
        extensions: [
          Prec.highest(
            keymap.of([
              { key: "Enter", run, shift: run },
              { key: "Alt-Enter", run: insertNewlineAndIndent },
            ]),
          ),
          metricsql,
          highlighting,
          words,
          theme,
          history(),
          drawSelection(),
          bracketMatching(),
          closeBrackets(),
          autocompletion({ override: [complete], icons: false, maxRenderedOptions: 60 }),
          linter((shown) => mistakes(explorer, at, shown.state.doc), {
            delay: CHECK_MS,
            needsRefresh: ({ transactions }) => transactions.some(({ effects }) => effects.some((effect) => effect.is(recheck))),
          }),
          keymap.of([...closeBracketsKeymap, ...historyKeymap, ...defaultKeymap]),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": `Query ${letter(at)}`, autocapitalize: "off", spellcheck: "false" }),
          placeholder("A query, such as rate(node_network_receive_bytes_total[1m])"),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) explorer.setDraft(at, update.state.doc.toString());
            if (update.focusChanged && update.view.hasFocus) explorer.box.value = at;
          }),
        ],
      }),
    });
    editor.current = view;
    if (explorer.wantsFocus === at) {
      explorer.wantsFocus = undefined;
      view.focus();
    }
    explorer.boxes.set(at, (text) => {
      view.dispatch(view.state.replaceSelection(text));
      view.focus();
    });
    return () => {
      explorer.boxes.delete(at);
      view.destroy();
      editor.current = undefined;
    };
  }, [explorer, at]);

  // What comes from the address, or from a list beside the box.
  useEffect(() => {
    const view = editor.current;
    // Who types fast is ahead of what was drawn last.
    const text = explorer.drafts.peek()[at] ?? "";
    if (view && view.state.doc.toString() !== text) view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
  }, [draft]);

  useEffect(() => {
    const view = editor.current;
    if (!view) return;
    // Only a check that was asked for can be forced.
    view.dispatch({ effects: recheck.of(null) });
    forceLinting(view);
  }, [answer, dialect]);

  return <div ref={host} />;
}

/** What is wrong with an expression, in the engine's words and where the engine says. */
async function mistakes(explorer: Explorer, at: number, document: Text): Promise<Diagnostic[]> {
  const expression = document.toString();
  const answer: Answer | undefined = explorer.answers.peek()[at];
  if (expression.trim() === "") return [];
  const isAnswered = answer?.expression === expression.trim() && answer.dialect === explorer.view.peek().dialect;
  const message = isAnswered ? answer.problem : await explorer.check(expression).catch(() => "");
  // The answer is of the text without the space round it.
  const found = placed(message, isAnswered ? expression.length - expression.trimStart().length : 0, document);
  return found ? [found] : [];
}

/** `2:10: parse error: …`: line and column count characters from 1. */
function placed(message: string, skipped: number, document: Text): Diagnostic | undefined {
  const [, line = "", column = "", words = ""] = /^(\d+):(\d+): (.*)$/s.exec(message) ?? [];
  if (line === "") return undefined;
  const text = document.toString().slice(skipped);
  const start =
    text
      .split("\n")
      .slice(0, Number(line) - 1)
      .join("\n").length + (Number(line) > 1 ? 1 : 0);
  const characters = [...text.slice(start)].slice(0, Number(column) - 1).join("").length;
  const place = Math.min(skipped + start + characters, document.length);
  const word = /^\w+|^./.exec(document.sliceString(place))?.[0].length ?? 0;
  // At the end there is nothing to underline but what stands before it.
  return { from: word === 0 ? Math.max(0, place - 1) : place, to: place + word, severity: "error", message: words };
}
