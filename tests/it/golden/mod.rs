//! Golden vectors: JSON lines that the server's own code has written, gzipped under `tests/golden/`.

use std::io::Read;

use serde_json::Value;

#[cfg(not(target_arch = "wasm32"))]
fn read(path: &str) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// WebAssembly has no files: Node reads them.
#[cfg(target_arch = "wasm32")]
fn read(path: &str) -> Vec<u8> {
    use wasm_bindgen::prelude::wasm_bindgen;
    #[wasm_bindgen(module = "fs")]
    extern "C" {
        #[wasm_bindgen(js_name = readFileSync)]
        fn read_file_sync(path: &str) -> Vec<u8>;
    }
    read_file_sync(path)
}

/// The unpacked bytes of `tests/golden/<name>`, which is gzipped.
pub fn bytes(name: &str) -> Vec<u8> {
    let packed = read(&format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR")));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
    bytes
}

/// All cases of `tests/golden/<name>.jsonl.gz`.
pub fn cases(name: &str) -> Vec<Value> {
    let text = String::from_utf8(bytes(&format!("{name}.jsonl.gz"))).unwrap();
    let cases: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!cases.is_empty(), "{name} has no cases");
    cases
}

/// The bytes of a string of hexadecimal digits.
pub fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or_else(|| panic!("hex digits expected, found {value}"));
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// An integer, which JSON keeps exactly between -2^63 and 2^64-1, in whatever width fits.
pub fn int<T: TryFrom<i128>>(value: &Value) -> T {
    let wide = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
    let wide = wide.or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    let wide = wide.unwrap_or_else(|| panic!("an integer expected, found {value}"));
    T::try_from(wide).unwrap_or_else(|_| panic!("{wide} does not fit"))
}

/// A list of integers; `null` is the empty list.
pub fn ints<T: TryFrom<i128>>(value: &Value) -> Vec<T> {
    list(value).iter().map(int).collect()
}

/// A float, given as the hexadecimal digits of its bits.
pub fn float(value: &Value) -> f64 {
    f64::from_bits(u64::from_str_radix(value.as_str().unwrap(), 16).unwrap())
}

/// A list of floats; `null` is the empty list.
pub fn floats(value: &Value) -> Vec<f64> {
    list(value).iter().map(float).collect()
}

/// The bits of floats, so that NaN equals NaN and the sign of zero counts.
pub fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// A JSON list; `null` is the empty one.
pub fn list(value: &Value) -> &[Value] {
    if value.is_null() { &[] } else { value.as_array().unwrap_or_else(|| panic!("a list expected, found {value}")) }
}
