#![no_main]

mod shared;

use libfuzzer_sys::fuzz_target;
use sandglass_kernel::formats::body::Format;
use sandglass_kernel::formats::compression::Compression;

fuzz_target!(|data: &[u8]| {
    for compression in
        [Compression::Detected, Compression::Gzip, Compression::Deflate, Compression::Zstd, Compression::Snappy]
    {
        shared::read(&Format::Graphite, compression, data);
    }
});
