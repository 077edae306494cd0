//! Metric names, index items and index parts against the server's golden vectors.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use sandglass::encoding::zstd::{self, Effort};
use sandglass::index::schema;
use sandglass::merge::policy::{self, PartSize};
use sandglass::mergeset::ItemsBlock;
use sandglass::mergeset::block_header::{BlockHeader, MarshalType};
use sandglass::mergeset::metaindex::MetaindexRow;
use sandglass::metric::name::MetricName;
use sandglass::metric::tsid::Tsid;
use serde_json::Value;

use crate::golden::{cases, hex, int, list};

fn tags(value: &Value) -> Vec<(Vec<u8>, Vec<u8>)> {
    list(value).iter().map(|tag| (hex(&tag[0]), hex(&tag[1]))).collect()
}

#[test]
fn metric_names() {
    for case in cases("metric_names") {
        let mut name = MetricName { metric_group: hex(&case["group"]), tags: tags(&case["tags"]) };
        name.sort_tags();
        assert_eq!(name.tags, tags(&case["sorted_tags"]), "{case}");
        let mut marshaled = Vec::new();
        name.marshal(&mut marshaled);
        assert_eq!(marshaled, hex(&case["marshaled"]), "{case}");
        assert_eq!(MetricName::unmarshal(&marshaled).unwrap(), name);
        let tsid = &case["tsid"];
        let expected = Tsid {
            metric_group_id: int(&tsid["metric_group_id"]),
            job_id: int(&tsid["job_id"]),
            instance_id: int(&tsid["instance_id"]),
            metric_id: int(&tsid["metric_id"]),
        };
        assert_eq!(name.tsid(expected.metric_id), expected, "{case}");
        let items = |field: &str| -> Vec<Vec<u8>> { list(&case[field]).iter().map(hex).collect() };
        let mut written = Vec::new();
        schema::series_items(&name, &expected, |item| written.push(item.to_vec()));
        assert_eq!(written, items("global_items"), "{case}");
        written.clear();
        schema::date_items(int(&case["date"]), expected.metric_id, &name, |item| written.push(item.to_vec()));
        assert_eq!(written, items("daily_items"), "{case}");
    }
}

#[test]
fn mergeset_blocks() {
    for case in cases("mergeset_blocks") {
        let given: Vec<Vec<u8>> = list(&case["items"]).iter().map(hex).collect();
        let mut block: ItemsBlock = given.iter().map(|item| &item[..]).collect();
        assert_eq!(block.len(), given.len());
        block.sort();
        let (mut items, mut lens) = (Vec::new(), Vec::new());
        let header = block.encode(Effort::Fast, &mut items, &mut lens).unwrap();
        assert_eq!(header.first_item, hex(&case["first_item"]), "{}", case["name"]);
        assert_eq!(header.common_prefix, hex(&case["common_prefix"]), "{}", case["name"]);
        assert_eq!(header.items_count, int::<u32>(&case["items_count"]));
        assert_eq!(header.marshal_type as u8, int::<u8>(&case["marshal_type"]), "{}", case["name"]);
        assert_eq!(ItemsBlock::decode(&header, &items, &lens).unwrap(), block);
        // The server's bytes are read, too, and hold the same before they are compressed.
        let (their_items, their_lens) = (hex(&case["items_data"]), hex(&case["lens_data"]));
        assert_eq!(ItemsBlock::decode(&header, &their_items, &their_lens).unwrap(), block);
        if header.marshal_type == MarshalType::Plain {
            assert_eq!((items, lens), (their_items, their_lens), "{}", case["name"]);
        } else {
            let payload = |frame: &[u8]| {
                let mut content = Vec::new();
                zstd::decompress(frame, 1 << 20, &mut content).unwrap();
                content
            };
            assert_eq!(payload(&items), hex(&case["items_payload"]), "{}", case["name"]);
            assert_eq!(payload(&lens), hex(&case["lens_payload"]), "{}", case["name"]);
        }
        let place = &case["block_header"];
        let header = BlockHeader {
            items_block_offset: int(&place["items_block_offset"]),
            lens_block_offset: int(&place["lens_block_offset"]),
            items_block_size: int(&place["items_block_size"]),
            lens_block_size: int(&place["lens_block_size"]),
            ..header
        };
        let mut bytes = Vec::new();
        header.marshal(&mut bytes);
        assert_eq!(bytes, hex(&place["hex"]), "{}", case["name"]);
        if let Ok(read) = BlockHeader::unmarshal(&bytes) {
            assert_eq!(read, (header.clone(), &[][..]));
        } else {
            // The vectors' sizes are any numbers.
            assert!(header.items_block_size > 131_072 || header.lens_block_size > 1_048_576);
        }
        let row = &case["metaindex_row"];
        let expected = MetaindexRow {
            first_item: header.first_item,
            block_headers_count: int(&row["block_headers_count"]),
            index_block_offset: int(&row["index_block_offset"]),
            index_block_size: int(&row["index_block_size"]),
        };
        bytes.clear();
        expected.marshal(&mut bytes);
        assert_eq!(bytes, hex(&row["hex"]), "{}", case["name"]);
        assert_eq!(MetaindexRow::unmarshal(&bytes).unwrap(), (expected, &[][..]));
    }
}

#[test]
fn mergeset_parts_to_merge() {
    for (number, case) in cases("mergeset_parts_to_merge").iter().enumerate() {
        let in_merge = |at: usize| case["in_merge"].get(at).is_some_and(|value| value == true);
        let all = list(&case["sizes"]);
        let free: Vec<usize> = (0..all.len()).filter(|&at| !in_merge(at)).collect();
        let sizes: Vec<PartSize> = free.iter().map(|&at| PartSize { bytes: int(&all[at]), min_timestamp: 0 }).collect();
        let max_output = int(&case["max_out_bytes"]);
        let choice = match case.get("max_parts_to_merge") {
            Some(max_parts) => policy::pick(&sizes, int(max_parts), max_output),
            None => policy::select(&sizes, max_output, (case["is_final"] == true).then_some(2)),
        };
        let choice: Vec<usize> = choice.parts.into_iter().map(|at| free[at]).collect();
        assert_eq!(choice, crate::golden::ints::<usize>(&case["selected"]), "case {number}: {case}");
    }
}
