#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use sandglass_kernel::formats::body::Format;
use sandglass_kernel::formats::compression::Compression;

fuzz_target!(|data: &[u8]| shared::read(&Format::named("jsonl", "").unwrap(), Compression::Detected, data));
