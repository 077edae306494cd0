// What is said of an engine that has failed where it must not.

import { SandglassError } from "../api/errors.js";
import type { Glue } from "./glue.js";

/** A refusal has a code; whatever else a call of the engine throws is a fault. */
export function refusalOf(thrown: unknown): SandglassError | undefined {
  if (thrown instanceof SandglassError) return thrown;
  const { code, message } = thrown as { code?: unknown; message?: unknown };
  if (thrown instanceof Error && typeof code === "string") return new SandglassError(code as SandglassError["code"], String(message));
  return undefined;
}

/** The error that everybody is told, whatever it was that the engine has thrown. */
export function faultOf(thrown: unknown, glue: Glue | undefined): SandglassError {
  return new SandglassError(
    "internal",
    `the engine has stopped: ${wordsOf(thrown, glue)}; what was durable is untouched: open the database again, and please report this message with what the page did`,
    { cause: thrown },
  );
}

/**
 * What went wrong, and where: the words of the engine's panic, or what was thrown, and the numbers of the innermost functions, whose
 * names are in the file `sandglass.debug.wasm` of the release.
 */
function wordsOf(thrown: unknown, glue: Glue | undefined): string {
  const { message, stack } = thrown as Partial<Error>;
  let panic: string | undefined;
  try {
    panic = glue?.lastPanic();
  } catch {
    // The instance is past telling; the trap itself has to do.
  }
  return [panic ?? message ?? thrown, ...(stack?.match(/wasm-function\[\d+\]:0x\w+/g) ?? [])].slice(0, 6).join(" < ");
}
