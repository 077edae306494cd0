//! Packing of tag rows, against the reference's own results.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::golden;
use sandglass::index::tag_rows::pack_tag_rows;
use sandglass::mergeset::ItemsBlock;

#[test]
fn tag_rows_are_packed_as_the_server_packs_them() {
    let cases = golden::cases("tag_rows_merge");
    assert_eq!(cases.len(), 80);
    for (number, case) in cases.iter().enumerate() {
        let items = |field: &str| -> Vec<Vec<u8>> { golden::list(&case[field]).iter().map(golden::hex).collect() };
        let mut block: ItemsBlock = items("in").iter().map(|item| &item[..]).collect();
        pack_tag_rows(&mut block);
        assert!(block.iter().eq(items("out").iter()), "case {number}");
    }
}
