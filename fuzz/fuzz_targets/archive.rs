#![no_main]
#![allow(dead_code)]

mod archives;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((cut, tar)) = archives::input(data) else { return };
    let (first, second) = tar.split_at(cut);
    assert_eq!(archives::entries(&[&tar]), archives::entries(&[first, second]));
    if let Err(error) = archives::look(&tar) {
        archives::expect_typed(&error);
    }
});
