#![no_main]
#![allow(dead_code)]

mod archives;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((cut, tar)) = archives::input(data) else { return };
    let (first, second) = tar.split_at(cut);
    if let Err(error) = archives::restore(first, second) {
        archives::expect_typed(&error);
    }
});
