// Bodies of remote write and of OpenTelemetry, as senders make them, but for what is compressed.

/** A body of remote write, version 1: series with their samples. */
export const remoteWriteBody = (series) => uncompressedSnappy(Buffer.concat(series.map((one) => field(1, timeSeries(one)))));

/** A body of OTLP: one sample of each series, all of one instant, as gauges. */
export function otlpBody(series, timestamp, valueOf) {
  const time = Buffer.alloc(9);
  time[0] = (3 << 3) | 1;
  time.writeBigUInt64LE(BigInt(timestamp) * 1_000_000n, 1);
  const metrics = series.map(({ labels: { __name__: name, ...rest } }, at) => {
    const value = Buffer.alloc(9);
    value[0] = (4 << 3) | 1;
    value.writeDoubleLE(valueOf(at), 1);
    const attributes = Object.entries(rest).map(([key, text]) =>
      field(7, Buffer.concat([field(1, Buffer.from(key)), field(2, field(1, Buffer.from(text)))])),
    );
    return field(2, Buffer.concat([field(1, Buffer.from(name)), field(5, field(1, Buffer.concat([...attributes, time, value])))]));
  });
  return field(1, field(2, Buffer.concat(metrics)));
}

/** A message of a Protocol Buffer: field number, length, content. */
function field(number, content) {
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(content.length)]), content]);
}

function varint(number) {
  const bytes = [];
  for (; number > 127; number = Math.floor(number / 128)) bytes.push((number % 128) | 128);
  bytes.push(number);
  return bytes;
}

function timeSeries({ labels, timestamps, values }) {
  const names = Object.keys(labels).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const pieces = names.map((name) => field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, Buffer.from(labels[name]))])));
  // The bits of values pass as they are: some are staleness markers.
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  for (const [at, time] of timestamps.entries()) {
    const value = bytes.subarray(at * 8, at * 8 + 8);
    pieces.push(field(2, Buffer.concat([Buffer.from([(1 << 3) | 1]), value, Buffer.from([(2 << 3) | 0, ...varint(time)])])));
  }
  return Buffer.concat(pieces);
}

/** Snappy's block format with literals alone. */
function uncompressedSnappy(bytes) {
  const pieces = [Buffer.from(varint(bytes.length))];
  for (let from = 0; from < bytes.length; from += 65_536) {
    const piece = bytes.subarray(from, from + 65_536);
    pieces.push(Buffer.from([61 << 2, (piece.length - 1) & 255, (piece.length - 1) >> 8]), piece);
  }
  return Buffer.concat(pieces);
}
