// The entry `sandglass/opentelemetry`: metrics of OpenTelemetry's SDK go into a database of the page. Of the SDK only the types are
// used; the engine reads OTLP, so that names and labels are what a server makes of the same metrics.

import { SandglassError } from "./api/errors.js";
import { open } from "./index.js";
import type { Attributes, HrTime } from "@opentelemetry/api";
import type { DataPoint, MetricData, PushMetricExporter, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import type { Database } from "./api/database.js";
import type { OpenOptions } from "./api/options.js";
import type { Labels } from "./api/samples.js";

/** What the call `export` of a `PushMetricExporter` is told in the end. */
export type ExportResult = Parameters<Parameters<PushMetricExporter["export"]>[1]>[0];

/** Where the metrics go. */
export interface SandglassExporterOptions extends OpenOptions {
  /** An open database, which stays open. Without one a database is opened with the other options, and closed by `shutdown()`. */
  database?: Database;
  /** Added to every series; they replace labels of the same name. */
  extraLabels?: Labels;
}

/**
 * An exporter for a `PeriodicExportingMetricReader`. A counter, an up-down counter and a gauge are one series each, with the
 * instrument's name; a histogram is `_count`, `_sum` and `_bucket`. Attributes of the point, of the scope and of the resource are labels.
 * Temporality is cumulative, as `rate()` and `increase()` want it.
 *
 * @example
 * ```ts
 * const exporter = new SandglassExporter({ name: "telemetry" });
 * const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 10_000 })] });
 * provider.getMeter("app").createCounter("clicks").add(1, { button: "save" });
 * ```
 */
export class SandglassExporter implements PushMetricExporter {
  readonly #options: SandglassExporterOptions;
  #database: Promise<Database> | undefined;
  /** Exports that have not ended. */
  readonly #underWay = new Set<Promise<void>>();
  #isShutDown = false;

  constructor(options: SandglassExporterOptions = {}) {
    this.#options = options;
  }

  /** Called by the reader. Fails with what the database says, and the reader goes on. */
  export(metrics: ResourceMetrics, resultCallback: (result: ExportResult) => void): void {
    const exported = this.#export(metrics).then(
      () => resultCallback({ code: SUCCESS }),
      (error: Error) => resultCallback({ code: FAILED, error }),
    );
    this.#underWay.add(exported);
    void exported.finally(() => this.#underWay.delete(exported));
  }

  /** What was exported before can be searched when it resolves. */
  async forceFlush(): Promise<void> {
    await Promise.all(this.#underWay);
    await (await this.#database)?.flush();
  }

  /** What was exported before is durable when it resolves. Closes the database that the exporter has opened. */
  async shutdown(): Promise<void> {
    if (this.#isShutDown) return;
    this.#isShutDown = true;
    await Promise.all(this.#underWay);
    const database = await this.#database;
    if (this.#options.database === undefined) await database?.close();
    else await database?.sync();
  }

  async #export(metrics: ResourceMetrics): Promise<void> {
    if (this.#isShutDown) throw new SandglassError("closed", "the exporter was shut down; make another one");
    const { extraLabels } = this.#options;
    const database = await this.#open();
    const body = JSON.stringify(requestOf(metrics));
    const { rejected, errors } = await database.ingest(body, { format: "otlp", ...(extraLabels !== undefined && { extraLabels }) });
    const [first] = errors;
    if (rejected > 0 && first !== undefined) throw new SandglassError("invalid", `${rejected} points were not taken: ${first.message}`);
  }

  /** Opens the database for the first export; one that could not be opened, or has ended since, is tried again with the next. */
  #open(): Promise<Database> {
    const { database, extraLabels: _, ...options } = this.#options;
    this.#database ??= database === undefined ? open(options) : Promise.resolve(database);
    const opened = this.#database;
    const forget = () => {
      if (this.#database === opened) this.#database = undefined;
    };
    // One that is lost is opened anew, too.
    opened.then(({ closed }) => {
      if (database === undefined) void closed.then(forget);
    }, forget);
    return opened;
  }
}

// Members of the SDK's enumerations, whose values are fixed; naming them would load the SDK.
const SUCCESS: ExportResult["code"] = 0;
const FAILED: ExportResult["code"] = 1;
const POINTS = { histogram: 0, exponentialHistogram: 1, gauge: 2, sum: 3 };

// ---- OTLP as JSON -----------------------------------------------------------------------------------------------------------

function requestOf({ resource, scopeMetrics }: ResourceMetrics): object {
  return {
    resourceMetrics: [
      {
        resource: { attributes: attributesOf(resource.attributes as Attributes) },
        scopeMetrics: scopeMetrics.map(({ scope: { name, version }, metrics }) => ({
          scope: { name, version },
          metrics: metrics.map(metricOf),
        })),
      },
    ],
  };
}

function metricOf(metric: MetricData): object {
  const { name, description, unit } = metric.descriptor;
  // Delta and cumulative are 0 and 1 in the SDK, and 1 and 2 in OTLP.
  const aggregationTemporality = metric.aggregationTemporality + 1;
  const points = (of: (value: never) => object) => metric.dataPoints.map((point) => pointOf(point as DataPoint<never>, of));
  switch (metric.dataPointType) {
    case POINTS.gauge:
      return { name, description, unit, gauge: { dataPoints: points(numberOf) } };
    case POINTS.sum: {
      const { isMonotonic } = metric as MetricData & { isMonotonic: boolean };
      return { name, description, unit, sum: { dataPoints: points(numberOf), aggregationTemporality, isMonotonic } };
    }
    case POINTS.histogram:
      return { name, description, unit, histogram: { dataPoints: points(histogramOf), aggregationTemporality } };
    default:
      return { name, description, unit, exponentialHistogram: { dataPoints: points(exponentialOf), aggregationTemporality } };
  }
}

function pointOf<T>({ startTime, endTime, attributes, value }: DataPoint<T>, of: (value: T) => object): object {
  return {
    startTimeUnixNano: nanoseconds(startTime),
    timeUnixNano: nanoseconds(endTime),
    attributes: attributesOf(attributes),
    ...of(value),
  };
}

type Value<Kind extends number> = Extract<MetricData, { dataPointType: Kind }>["dataPoints"][number]["value"];

const numberOf = (value: number): object => ({ asDouble: double(value) });

const histogramOf = ({ count, sum, min, max, buckets }: Value<0>): object => ({
  count,
  ...extremes({ sum, min, max }),
  bucketCounts: buckets.counts,
  explicitBounds: buckets.boundaries,
});

const exponentialOf = ({ count, sum, min, max, scale, zeroCount, positive, negative }: Value<1>): object => ({
  count,
  ...extremes({ sum, min, max }),
  scale,
  zeroCount,
  positive,
  negative,
});

/** Those that are there. */
function extremes(numbers: Record<string, number | undefined>): object {
  return Object.fromEntries(Object.entries(numbers).map(([name, number]) => [name, number === undefined ? undefined : double(number)]));
}

/** JSON has no numbers that are none. */
function double(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

function nanoseconds([seconds, nanoseconds]: HrTime): string {
  return String(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds));
}

function attributesOf(attributes: Attributes | Record<string, unknown>): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: valueOf(value) }));
}

function valueOf(value: unknown): object {
  switch (typeof value) {
    case "string":
      return { stringValue: value };
    case "boolean":
      return { boolValue: value };
    case "number":
      return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: double(value) };
    case "object":
      if (value === null) return {};
      if (Array.isArray(value)) return { arrayValue: { values: value.map(valueOf) } };
      return { kvlistValue: { values: attributesOf(value as Record<string, unknown>) } };
    default:
      return {};
  }
}
