#![no_main]

use libfuzzer_sys::fuzz_target;
use sandglass::query::dialect::Dialect;
use sandglass::query::language::{parse, parse_selector, print};

/// The longest text that is read.
const MAX_TEXT_LEN: usize = 64 << 10;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let _ = parse_selector(text);
    for dialect in [Dialect::MetricsQl, Dialect::PromQl] {
        let Ok(expression) = parse(text, dialect) else { continue };
        let printed = print(&expression);
        // Templates are printed as what they stand for.
        if printed.len() > MAX_TEXT_LEN {
            continue;
        }
        let again = parse(&printed, dialect).unwrap_or_else(|error| panic!("{text}\nprinted {printed}\n{error}"));
        // The debug form, as NaN is equal to itself there.
        assert_eq!(format!("{:?}", again.nodes), format!("{:?}", expression.nodes), "{text}\nprinted {printed}");
    }
});
