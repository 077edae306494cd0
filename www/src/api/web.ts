// The web's own types, for programs whose libraries have none of them, such as one for Node with `lib: ["es2022"]`: a name that the
// declarations mention is there, and says nothing more. Where a library has it (DOM, @types/node), an interface that is empty adds nothing.

declare global {
  interface AbortSignal {}
  interface Blob {}
  // biome-ignore lint/correctness/noUnusedVariables: the parameters of all declarations must be the same
  // biome-ignore lint/suspicious/noExplicitAny: so must their defaults
  interface ReadableStream<R = any> {}
  interface Response {}
  interface URL {}
  namespace WebAssembly {
    interface Module {}
  }
}

// Other libraries have these with parameters of their own, so that they are looked up.

/** The web's `Request`. */
export type WebRequest = typeof globalThis extends { Request: { prototype: infer Known } } ? Known : never;

/** The web's `RequestInit`. */
export type WebRequestInit = typeof globalThis extends { Request: new (input: never, init?: infer Known) => unknown } ? Known : object;
