#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use sandglass_kernel::formats::body::Format;
use sandglass_kernel::formats::compression::Compression;

fuzz_target!(|data: &[u8]| shared::read(
    &Format::named("csv", "1:label:a,2:time:custom:Jan 2 2006 15:04:05.000 MST,3:metric:b,5:metric:c").unwrap(),
    Compression::Detected,
    data
));
