// As little as the contract needs of assertions, for Node and for pages alike.

export class AssertionError extends Error {}

function fail(message, expected, found) {
  throw new AssertionError(`${message}\nexpected: ${print(expected)}\nfound:    ${print(found)}`);
}

function print(value) {
  return JSON.stringify(value, (_, inner) => {
    if (ArrayBuffer.isView(inner)) return { [inner.constructor.name]: Array.from(inner, String) };
    return typeof inner === "number" && !Number.isFinite(inner) ? String(inner) : typeof inner === "bigint" ? `${inner}n` : inner;
  });
}

/** Equal by value and, for numbers, by bits. */
export function isEqual(a, b) {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null || a.constructor?.name !== b.constructor?.name)
    return false;
  if (a instanceof Float64Array) {
    const bits = (array) => new BigUint64Array(array.buffer.slice(array.byteOffset, array.byteOffset + array.byteLength));
    return isEqual(bits(a), bits(b));
  }
  if (ArrayBuffer.isView(a) || Array.isArray(a)) return a.length === b.length && a.every((value, i) => isEqual(value, b[i]));
  const [names, others] = [Object.keys(a).sort(), Object.keys(b).sort()];
  return isEqual(names, others) && names.every((name) => isEqual(a[name], b[name]));
}

export function equal(found, expected, message = "the values differ") {
  if (!isEqual(found, expected)) fail(message, expected, found);
}

export function ok(condition, message = "this should hold") {
  if (!condition) throw new AssertionError(message);
}

/** The call, or the promise that it returns, fails with this code and with a message that matches. Returns the error. */
export async function fails(code, run, pattern = /./) {
  let found;
  try {
    found = await run();
  } catch (error) {
    if (error instanceof AssertionError) throw error;
    ok(error instanceof Error, `an Error was expected, found ${String(error)}`);
    if (error.code !== code) fail(`the error "${error.message}" has the wrong code`, code, error.code);
    ok(pattern.test(error.message), `the message "${error.message}" does not match ${pattern}`);
    return error;
  }
  fail("an error was expected", code, found);
}
