// Every error that the package throws has a code, and a message that says what, where and what to do.

/**
 * - `locked`: somebody else holds the database, and does not share it
 * - `quota`: the storage has no room left
 * - `corrupt`: stored or imported bytes break the format's rules
 * - `unsupported`: this build or environment can't do it
 * - `invalid`: an argument that can't be used
 * - `closed`: the object is of no more use: closed, its worker gone or silent, its page put away, or its storage taken away
 * - `storage`: the storage failed for a reason of its own
 * - `not_found`: a snapshot, an export or a file that does not exist
 * - `aborted`: the caller took the call back; the error's `name` is `"AbortError"`, and its `cause` is the signal's `reason`
 * - `limit`: a limit on series, samples, bytes, memory or time was reached
 * - `interrupted`: the tab that had the database went away during the call, see {@link SandglassError.tookEffect}
 * - `refused`: the server that samples were pushed to does not want them; the error's `status` says how, its message has the server's words
 * - `unreachable`: the server that samples were pushed to could not be reached, or was overloaded, for longer than the push was to try
 * - `internal`: a fault of the engine's own, which may have stopped it; what was durable is untouched
 */
export type ErrorCode =
  | "locked"
  | "quota"
  | "corrupt"
  | "unsupported"
  | "invalid"
  | "closed"
  | "storage"
  | "not_found"
  | "aborted"
  | "limit"
  | "interrupted"
  | "refused"
  | "unreachable"
  | "internal";

/** What an error tells beside its kind and its message. */
export interface ErrorDetails {
  cause?: unknown;
  samples?: number;
  tookEffect?: "no" | "unknown";
  status?: number;
  checkpoint?: string;
}

/** An error with its kind in `code`. What is not known of an error is no property of it. */
export class SandglassError extends Error {
  static {
    // Builds shorten the names of classes, and this one is what consoles print.
    Object.defineProperty(this, "name", { value: "SandglassError" });
  }

  /** `"AbortError"` for calls that their caller took back, as the platform's own are called, else `"SandglassError"`. */
  override readonly name: "SandglassError" | "AbortError";
  /** What kind of error it is. */
  readonly code: ErrorCode;

  /** Where samples were appended before and not taken, or are in doubt: how many. */
  declare readonly samples?: number;

  /** Of a call that was interrupted: whether it took effect. */
  declare readonly tookEffect?: "no" | "unknown";

  /** Of a push: the status that its server has answered last. */
  declare readonly status?: number;

  /** Of a push: what is to be handed to the next try. */
  declare readonly checkpoint?: string;

  constructor(code: ErrorCode, message: string, options?: ErrorDetails) {
    super(message, options);
    this.name = code === "aborted" ? "AbortError" : "SandglassError";
    this.code = code;
    if (options?.tookEffect !== undefined) this.tookEffect = options.tookEffect;
    if (options?.samples !== undefined) this.samples = options.samples;
    if (options?.status !== undefined) this.status = options.status;
    if (options?.checkpoint !== undefined) this.checkpoint = options.checkpoint;
  }
}
