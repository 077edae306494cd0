#![no_main]

use libfuzzer_sys::fuzz_target;
use sandglass_kernel::formats::{Refused, prometheus};

fuzz_target!(|data: &[u8]| {
    prometheus::parse(data, 1, &mut Refused::default(), &mut |sample: prometheus::Sample<'_>| {
        prometheus::parse_series(sample.series).map(drop)
    });
});
