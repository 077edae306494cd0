#![no_main]

use libfuzzer_sys::fuzz_target;
use sandglass_kernel::formats::{Refused, jsonl};

fuzz_target!(|data: &[u8]| {
    jsonl::parse(data, 1, &mut Refused::default(), &mut |line| {
        assert_eq!(line.timestamps.len(), line.values.len());
        Ok(())
    });
});
