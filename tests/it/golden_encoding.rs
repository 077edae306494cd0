//! The encodings against the server's golden vectors, byte for byte and bit for bit.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use sandglass::encoding::marshal::{MarshalType, ensure_non_decreasing, marshal_int64s, unmarshal_int64s};
use sandglass::encoding::zstd::{self, Effort};
use sandglass::encoding::{decimal, int};

use crate::golden::{bits, cases, float, floats, hex, int, ints};

#[test]
fn integers() {
    for case in cases("varint") {
        let expected = hex(&case["hex"]);
        let v = &case["v"];
        let mut written = Vec::new();
        match case["kind"].as_str().unwrap() {
            "varint64" => {
                int::put_varint(&mut written, int(v));
                assert_eq!(int::take_varint(&expected).unwrap(), (int(v), &[][..]), "{case}");
            }
            "varuint64" => {
                int::put_varuint(&mut written, int(v));
                assert_eq!(int::take_varuint(&expected).unwrap(), (int(v), &[][..]), "{case}");
            }
            "int64" => {
                int::put_i64(&mut written, int(v));
                assert_eq!(int::take_i64(&expected).unwrap(), (int(v), &[][..]), "{case}");
            }
            "int16" => {
                int::put_i16(&mut written, int(v));
                assert_eq!(int::take_i16(&expected).unwrap(), (int(v), &[][..]), "{case}");
            }
            "uint64" => {
                int::put_u64(&mut written, int(v));
                assert_eq!(int::take_u64(&expected).unwrap(), (int(v), &[][..]), "{case}");
            }
            "uint32" => {
                int::put_u32(&mut written, int(v));
                assert_eq!(int::take_u32(&expected).unwrap(), (int(v), &[][..]), "{case}");
            }
            "uint16" => {
                int::put_u16(&mut written, int(v));
                assert_eq!(int::take_u16(&expected).unwrap(), (int(v), &[][..]), "{case}");
            }
            "bytes" => {
                int::put_bytes(&mut written, &hex(v));
                assert_eq!(int::take_bytes(&expected).unwrap(), (&hex(v)[..], &[][..]), "{case}");
            }
            "varuint64_decode" => {
                match int::take_varuint(&expected) {
                    Ok((value, tail)) => {
                        assert_eq!(case["ok"], true, "{case}");
                        assert_eq!((value, tail), (int(v), &hex(&case["tail"])[..]), "{case}");
                    }
                    Err(_) => assert_eq!(case["ok"], false, "{case}"),
                }
                continue;
            }
            kind => panic!("unknown kind {kind}"),
        }
        assert_eq!(written, expected, "{case}");
    }
}

#[test]
fn columns_of_varints_are_the_single_varints_in_a_row() {
    let values: Vec<i64> =
        cases("varint").iter().filter(|case| case["kind"] == "varint64").map(|case| int(&case["v"])).collect();
    // Small numbers between the others, so that every mixture of lengths meets every position.
    for stride in [1, 2, 3, 9, 20, 70] {
        let column: Vec<i64> = values.iter().flat_map(|&value| (1..stride).map(|i| i % 64).chain([value])).collect();
        let mut expected = Vec::new();
        column.iter().for_each(|&value| int::put_varint(&mut expected, value));
        let mut written = Vec::new();
        int::put_varints(&mut written, &column);
        assert!(written == expected, "stride {stride}");
        written.extend([1, 2, 3]);
        let mut read = vec![77];
        let rest = int::take_varints(&written, column.len(), &mut read).unwrap();
        assert_eq!(rest, [1, 2, 3]);
        assert!(read[1..] == column, "stride {stride}");
        assert!(int::take_varints(&expected, column.len() + 1, &mut Vec::new()).is_err());
    }
}

#[test]
fn single_floats() {
    for case in cases("decimal_scalar") {
        let value = float(&case["f"]);
        let (mantissa, exponent) = decimal::split(value);
        assert_eq!((mantissa, exponent), (int(&case["m"]), int(&case["e"])), "{case}");
        let back = float(&case["back"]).to_bits();
        assert_eq!(decimal::to_float(mantissa, exponent).to_bits(), back, "{case}");
        // A column of one takes other ways to the same result, and so does one in company of itself.
        for n in [1, 2, 7, 64, 65, 200] {
            let mut mantissas = vec![1];
            let shared = decimal::to_decimal(&vec![value; n], &mut mantissas);
            let expected = if decimal::is_special(mantissa) { -1024 } else { exponent };
            assert_eq!(shared, expected, "{case}");
            assert_eq!(mantissas[1..], vec![mantissa; n], "{case}");
            let mut floats = vec![0.5];
            decimal::to_floats(&mantissas[1..], exponent, &mut floats);
            assert_eq!(bits(&floats[1..]), vec![back; n], "{case}");
        }
    }
}

#[test]
fn columns_of_floats() {
    for case in cases("decimal_arrays") {
        let mut mantissas = Vec::new();
        let exponent = decimal::to_decimal(&floats(&case["f"]), &mut mantissas);
        assert_eq!(exponent, int::<i16>(&case["e"]), "{case}");
        assert_eq!(mantissas, ints::<i64>(&case["m"]), "{case}");
        let mut back = Vec::new();
        decimal::to_floats(&mantissas, exponent, &mut back);
        assert_eq!(bits(&back), bits(&floats(&case["back"])), "{case}");
    }
}

/// Random columns, whose result the rule of part-format §3.4, written down naively here, foretells.
#[test]
fn columns_of_floats_follow_the_rule_whatever_way_they_take() {
    let scalars: Vec<f64> = cases("decimal_scalar").iter().map(|case| float(&case["f"])).collect();
    let mut seed = 1_u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    for round in 0..3000 {
        let n = 1 + random() % 150;
        let digits = random() % 8;
        let kind = random() % 7;
        let values: Vec<f64> = (0..n)
            .map(|_| {
                let unit = random() as f64 / 2_147_483_648.0;
                match kind {
                    0 => (unit * 1000.0).floor() * 10_f64.powi(digits as i32),
                    1 => (unit * 2e6 - 1e6).round() / 10_f64.powi(digits as i32),
                    2 => unit * 100.0 - 50.0,
                    3 => unit * 10_f64.powi(digits as i32 * 2 - 6),
                    4 => (unit * 1e5).round() / 100.0 + if random() % 40 == 0 { 1e9 } else { 0.0 },
                    5 => scalars[random() % scalars.len()],
                    _ if random() % 50 == 0 => scalars[random() % scalars.len()],
                    _ => (unit * 1e4).round() / 1e3,
                }
            })
            .collect();
        let mut mantissas = Vec::new();
        let exponent = decimal::to_decimal(&values, &mut mantissas);
        let (expected, shared) = naive_to_decimal(&values);
        assert_eq!((exponent, &mantissas), (shared, &expected), "round {round} kind {kind}: {values:?}");
    }
}

fn naive_to_decimal(values: &[f64]) -> (Vec<i64>, i16) {
    let headroom = |v: i64| -> i16 {
        if v == 0 || decimal::is_special(v) {
            return 1024;
        }
        (0..=18_i16).rev().find(|&k| v.unsigned_abs() <= (i64::MAX / 10_i64.pow(k as u32)) as u64).unwrap()
    };
    let split: Vec<(i64, i16)> = values.iter().map(|&value| decimal::split(value)).collect();
    let smallest = split.iter().filter(|(m, _)| !decimal::is_special(*m)).map(|(_, e)| *e).min().unwrap_or(32767);
    let down = split.iter().map(|&(m, e)| e.wrapping_sub(smallest).wrapping_sub(headroom(m))).max().unwrap().max(0);
    let shared = smallest.wrapping_add(down);
    let scaled = split.iter().map(|&(mut m, e)| {
        if !decimal::is_special(m) && m != 0 {
            (shared..e).for_each(|_| m *= 10);
            (e..shared).for_each(|_| m /= 10);
        }
        m
    });
    (scaled.collect(), shared)
}

#[test]
fn scales_are_calibrated() {
    for case in cases("calibrate_scale") {
        let (mut a, mut b) = (ints::<i64>(&case["a"]), ints::<i64>(&case["b"]));
        let exponent = decimal::calibrate_scale(&mut a, int(&case["ae"]), &mut b, int(&case["be"]));
        assert_eq!(exponent, int::<i16>(&case["e"]), "{case}");
        assert_eq!((a, b), (ints(&case["a_out"]), ints(&case["b_out"])), "{case}");
    }
}

#[test]
fn columns_of_integers() {
    let mut compressed = 0;
    let disagreements = zstd::disagreements();
    for case in cases("int64s") {
        let name = &case["name"];
        let values: Vec<i64> = ints(&case["values"]);
        let marshal_type = MarshalType::try_from(int::<u8>(&case["marshal_type"])).unwrap();
        let encoded = hex(&case["encoded"]);
        let first: i64 = int(&case["first_value"]);
        let precision_bits: u8 = int(&case["precision_bits"]);
        let expected = if precision_bits < 64 { ints(&case["decoded"]) } else { values.clone() };

        // What the server wrote is read.
        let mut read = vec![5];
        unmarshal_int64s(marshal_type, first, &encoded, values.len(), &mut read).unwrap();
        assert!(read[1..] == expected, "{name}");

        // What is written is what the server writes, but for the compressor's choices.
        for effort in [Effort::Fast, Effort::Thorough] {
            let mut written = vec![5];
            let (own_type, own_first) = marshal_int64s(&values, precision_bits, effort, &mut written).unwrap();
            let written = &written[1..];
            assert_eq!(own_first, first, "{name}");
            let plain = |own_type, bytes: &[u8]| match own_type {
                MarshalType::ZstdNearestDelta | MarshalType::ZstdNearestDelta2 => {
                    let mut payload = Vec::new();
                    zstd::decompress(bytes, 10 * values.len(), &mut payload).unwrap();
                    (if own_type == MarshalType::ZstdNearestDelta { 6 } else { 5 }, payload)
                }
                plain => (plain as u8, bytes.to_vec()),
            };
            assert_eq!(plain(own_type, written), plain(marshal_type, &encoded), "{name}");
            if !case["payload"].is_null() {
                assert_eq!(plain(own_type, written).1, hex(&case["payload"]), "{name}");
                compressed += 1;
            }
            let mut read = Vec::new();
            unmarshal_int64s(own_type, own_first, written, values.len(), &mut read).unwrap();
            assert!(read == expected, "{name}");
        }
    }
    assert!(compressed > 2 * 20);
    assert_eq!(zstd::disagreements(), disagreements);
}

/// Any damage is an error or other numbers, never a panic, and the count is what was asked for.
#[test]
fn damaged_columns() {
    for case in cases("int64s").iter().filter(|case| case["values"].as_array().unwrap().len() < 400) {
        let n = case["values"].as_array().unwrap().len();
        let mut encoded = hex(&case["encoded"]);
        let marshal_type = MarshalType::try_from(int::<u8>(&case["marshal_type"])).unwrap();
        for bit in 0..(encoded.len() * 8).min(2000) {
            encoded[bit / 8] ^= 1 << (bit % 8);
            for n in [0, 1, n, n + 1, 16384] {
                let mut read = vec![3];
                match unmarshal_int64s(marshal_type, 1, &encoded, n, &mut read) {
                    Ok(()) => assert_eq!(read.len(), n + 1),
                    Err(_) => assert_eq!(read, [3]),
                }
            }
            encoded[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn lossy_timestamps_are_repaired() {
    for case in cases("nondecreasing") {
        let mut timestamps: Vec<i64> = ints(&case["in"]);
        ensure_non_decreasing(&mut timestamps, int(&case["min"]), int(&case["max"]));
        assert_eq!(timestamps, ints::<i64>(&case["out"]), "{case}");
    }
}
