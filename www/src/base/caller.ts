// Errors that lead to the line that has asked.

import { SandglassError } from "../api/errors.js";

/** Writes the stack of here and of who waits for it into an error. V8 and newer engines of others have it. */
const capture = (Error as { captureStackTrace?: (error: Error) => void }).captureStackTrace;

/**
 * The answer, or an error with the stack of those who wait for it. Where an error is made the answer to a message comes in, and its stack
 * knows nothing of the line that has asked.
 */
export async function forCaller<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof SandglassError) capture?.(error);
    throw error;
  }
}
