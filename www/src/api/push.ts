// What is stored, sent on to a server.
// Times are milliseconds since the Unix epoch, sizes are bytes, values are float64, unless a line says otherwise.

import type { Progress } from "./snapshots.js";
import type { Abortable, TimeRange } from "./samples.js";

/** What a push sends, and how. Lengths of time are milliseconds or a text such as `"30s"`. */
export interface PushOptions extends TimeRange, Abortable {
  /** Which series; all without one. */
  selector?: string;
  /**
   * `"native"` (default): VictoriaMetrics' own blocks, for its single server and its cluster. `"remote_write"`: Prometheus remote write,
   * version 1, for any receiver of it; samples go out in the order of time, an hour of all series after another, as Prometheus wants it.
   */
  protocol?: "native" | "remote_write";
  /**
   * How native blocks are written: `"v1.72"` for servers up to 1.81, `"v1.150"` for those from 1.82 on. Left out, the newer one is tried
   * first, and the older one where the server refuses that or does not answer within `timeout`.
   */
  layout?: "v1.72" | "v1.150";
  /** Sent with each request, such as `Authorization`. */
  headers?: Record<string, string>;
  /** From an earlier try with the same selector: what it has sent is not sent again. */
  checkpoint?: string | undefined;
  /**
   * Told when a piece was taken by the server, and each time the checkpoint has changed. `done` are the bytes sent by this try, and `total` is
   * estimated until they are equal. Keep the checkpoint where it outlives the page. What it throws is reported as an uncaught error, and the
   * push goes on.
   */
  onProgress?: (progress: PushProgress) => void;
  /** Keeps sending what is new until the signal fires, and resolves then. Default `false`. */
  live?: boolean;
  /** Live: how often it looks for new samples: a duration, or milliseconds. Default `"5s"`. */
  every?: number | string;
  /** Live: a sample is sent when it is so old, so that those which come a little out of order go in order. Default `"5s"`. */
  delay?: number | string;
  /**
   * Live: whether samples are sent, too, that were appended after later ones had been sent. Default: `true` for `"native"`, and `false` for
   * `"remote_write"`, as Prometheus refuses them unless its `out_of_order_time_window` is set.
   */
  late?: boolean;
  /** How long one request may take. Default `"30s"`. */
  timeout?: number | string;
  /** How long a piece is tried again that the server could not be reached for, or did not take. Default `"2m"`, live without end. */
  retryFor?: number | string;
}

/** How far a push has come. */
export interface PushProgress extends Progress {
  /** Opaque: for {@link PushOptions.checkpoint} of the next try. */
  checkpoint: string;
}

/** What a push has sent. */
export interface PushResult {
  /** Matching series that have samples on the days that were sent; 0 when they could not be counted any more, as after `close()`. */
  series: number;
  /** Samples that the server has taken. */
  samples: number;
  /** Bytes of the requests' bodies. */
  bytes: number;
  /** For the next try, which sends what is newer. */
  checkpoint: string;
}
