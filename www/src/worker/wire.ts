// What carries messages between a port and the engine that serves it, wherever that is.

import type { Reply, Request } from "./messages.js";

/** One end of a line on which nothing overtakes. */
export interface Wire {
  /** Whether the engine belongs to this page, so that what was sent needs not be kept for another one. */
  readonly isLocal: boolean;
  /** Resolves once the engine takes what is sent, so that it arrives though the sender goes. */
  readonly heard: Promise<void>;
  post(request: Request, transfer: Transferable[]): void;
  /** Hands over what comes from now on; `broken` is called when nothing can come any more. */
  listen(take: (reply: Reply) => void, broken: (what: string) => void): void;
  /** Nothing is sent and nothing comes any more. */
  end(): void;
}

/** To the worker that was started for the engine; its end is the worker's. */
export function workerWire(worker: Worker): Wire {
  return {
    isLocal: true,
    heard: Promise.resolve(),
    post: (request, transfer) => worker.postMessage(request, transfer),
    listen(take, broken) {
      worker.onmessage = ({ data }: MessageEvent<Reply>) => take(data);
      worker.onmessageerror = () => broken("has sent what cannot be read");
      worker.onerror = (event) => {
        event.preventDefault();
        broken(`has failed: ${event.message}`);
      };
    },
    end() {
      worker.terminate();
      worker.onmessage = worker.onmessageerror = worker.onerror = null;
    },
  };
}
