// MetricsQL for the editor: the PromQL language of Prometheus' own editor, which is shown words it knows in the places of those that it
// does not. Every word is replaced by one of the same kind and padded to the same length, so all places in its tree are places in the text.

import { HighlightStyle, Language, defineLanguageFacet, syntaxHighlighting } from "@codemirror/language";
import { RangeSetBuilder } from "@codemirror/state";
import { Decoration, type DecorationSet, type EditorView, ViewPlugin, type ViewUpdate } from "@codemirror/view";
import { type Input, type PartialParse, Parser, type TreeFragment } from "@lezer/common";
import { tags } from "@lezer/highlight";
import { LanguageType, promQLLanguage } from "@prometheus-io/codemirror-promql";
import { WORDS } from "./words";

const promql = promQLLanguage(LanguageType.PromQL).parser;

/** Texts and comments, which hold no words; and words, with what stands round them. */
const TOKEN = /"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|`[^`]*`?|#.*|[A-Za-z_:][\w:.]*/g;
const AS_OPERATOR = new Set(["default", "if", "ifnot"]);
/** The last character of what an operator can follow. */
const ENDS_OPERAND = /[\w)}\]]/;

/** What a token of MetricsQL alone is read as; undefined for all others. */
function standIn(token: string, before: string, after: string): { text: string; isOperator: boolean } | undefined {
  const name = token.toLowerCase();
  const next = after.trimStart();
  if (AS_OPERATOR.has(name) && ENDS_OPERAND.test(before.trimEnd().slice(-1)) && !/^[=!,]/.test(next))
    return { text: "or", isOperator: true };
  const word = WORDS.metricsql.get(name);
  if (!word || (token === name && WORDS.promql.has(name))) return undefined;
  const isAggregated = word.isAggregation && /^(\(|(by|without)\b)/i.test(next);
  if (!isAggregated && !next.startsWith("(")) return undefined;
  const candidates = !isAggregated ? ["rate", "abs", "ln"] : word.takesNumberFirst ? ["topk", "sum"] : ["sum"];
  const text = candidates.find(({ length }) => length <= token.length);
  return text === undefined ? undefined : { text, isOperator: false };
}

/** The text as Prometheus' grammar can read it. */
export const asPromql = (text: string): string =>
  text.replace(
    TOKEN,
    (token, at: number) => standIn(token, text.slice(0, at), text.slice(at + token.length))?.text.padEnd(token.length) ?? token,
  );

const FUNCTION = Decoration.mark({ attributes: { style: "color: var(--accent)" } });
const OPERATOR = Decoration.mark({ attributes: { style: "color: var(--small); font-weight: 600" } });

/** The tree knows these words by what stands in for them, which is shorter. */
export const words = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = marks(view.state.doc.toString());
    }
    update(update: ViewUpdate) {
      if (update.docChanged) this.decorations = marks(update.state.doc.toString());
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

function marks(text: string): DecorationSet {
  const found = new RangeSetBuilder<Decoration>();
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const stand = standIn(token, text.slice(0, index), text.slice(index + token.length));
    if (stand) found.add(index, index + token.length, stand.isOperator ? OPERATOR : FUNCTION);
  }
  return found.finish();
}

class MetricsqlParser extends Parser {
  override createParse(input: Input, _fragments: readonly TreeFragment[], ranges: readonly { from: number; to: number }[]): PartialParse {
    // An expression is short: it is read anew as a whole.
    return promql.startParse(asPromql(input.read(0, input.length)), [], ranges);
  }
}

/** The names of metrics that stand in an expression by themselves, as in `rate(name{…}[5m])`. */
export function metricsIn(expression: string): string[] {
  const names: string[] = [];
  promql.parse(asPromql(expression)).iterate({
    enter({ name, node }) {
      const metric = name === "VectorSelector" ? node.getChild("Identifier") : null;
      if (metric) names.push(expression.slice(metric.from, metric.to));
    },
  });
  return names;
}

const data = defineLanguageFacet({ commentTokens: { line: "#" }, closeBrackets: { brackets: ["(", "[", "{", '"', "'", "`"] } });

export const metricsql = new Language(data, new MetricsqlParser(), [], "metricsql");

const colours = HighlightStyle.define([
  { tag: [tags.function(tags.variableName), tags.operatorKeyword], color: "var(--accent)" },
  { tag: [tags.modifier, tags.logicOperator], color: "var(--small)", fontWeight: "600" },
  { tag: tags.labelName, color: "var(--line-3)" },
  { tag: tags.string, color: "var(--line-6)" },
  { tag: tags.number, color: "var(--line-5)" },
  { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.operator, tags.paren, tags.brace, tags.squareBracket], color: "var(--muted)" },
]);

export const highlighting = syntaxHighlighting(colours);
