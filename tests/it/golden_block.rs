//! Blocks against the server's golden vectors: headers, merges and de-duplication.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::collections::{BTreeSet, VecDeque};

use sandglass::block::dedup::Dedup;
use sandglass::block::inspect::BlockDetails;
use sandglass::block::{Block, BlockHeader, Decoder, merge_into_pending};
use sandglass::encoding::marshal::{Course, MarshalType};
use sandglass::encoding::zstd::Effort;
use sandglass::metric::tsid::Tsid;
use sandglass::time::TimeRange;
use serde_json::Value;

use crate::golden::{bits, cases, floats, hex, int, ints, list};

fn tsid(value: &Value) -> Tsid {
    Tsid {
        metric_group_id: int(&value["metric_group_id"]),
        job_id: int(&value["job_id"]),
        instance_id: int(&value["instance_id"]),
        metric_id: int(&value["metric_id"]),
    }
}

#[test]
fn headers() {
    for case in cases("headers") {
        let mut written = Vec::new();
        if case["kind"] == "tsid" {
            let expected = tsid(&case["tsid"]);
            assert_eq!(Tsid::unmarshal(&hex(&case["hex"])).unwrap(), (expected, &[][..]), "{case}");
            expected.marshal(&mut written);
        } else if case["kind"] == "block_header" {
            let expected = BlockHeader {
                tsid: tsid(&case["tsid"]),
                min_timestamp: int(&case["min_timestamp"]),
                max_timestamp: int(&case["max_timestamp"]),
                first_value: int(&case["first_value"]),
                timestamps_block_offset: int(&case["timestamps_block_offset"]),
                values_block_offset: int(&case["values_block_offset"]),
                timestamps_block_size: int(&case["timestamps_block_size"]),
                values_block_size: int(&case["values_block_size"]),
                rows_count: int(&case["rows_count"]),
                scale: int(&case["scale"]),
                timestamps_marshal_type: MarshalType::try_from(int::<u8>(&case["timestamps_marshal_type"])).unwrap(),
                values_marshal_type: MarshalType::try_from(int::<u8>(&case["values_marshal_type"])).unwrap(),
                precision_bits: int(&case["precision_bits"]),
            };
            assert_eq!(BlockHeader::unmarshal(&hex(&case["hex"])).unwrap(), (expected, &[][..]), "{case}");
            expected.marshal(&mut written);
        } else {
            continue;
        }
        assert_eq!(written, hex(&case["hex"]), "{case}");
    }
}

#[test]
fn impossible_headers_are_refused() {
    let good = BlockHeader { rows_count: 1, precision_bits: 64, ..BlockHeader::default() };
    let read = |header: BlockHeader| {
        let mut bytes = Vec::new();
        header.marshal(&mut bytes);
        BlockHeader::unmarshal(&bytes).map(|_| ())
    };
    read(good).unwrap();
    read(BlockHeader { rows_count: 16384, ..good }).unwrap();
    assert!(read(BlockHeader { rows_count: 0, ..good }).is_err());
    assert!(read(BlockHeader { rows_count: 16385, ..good }).is_err());
    assert!(read(BlockHeader { precision_bits: 0, ..good }).is_err());
    assert!(read(BlockHeader { precision_bits: 65, ..good }).is_err());
    assert!(read(BlockHeader { timestamps_block_size: 131_073, ..good }).is_err());
    assert!(read(BlockHeader { values_block_size: 131_073, ..good }).is_err());
    let mut bytes = Vec::new();
    good.marshal(&mut bytes);
    for at in [78, 79] {
        bytes[at] = 7;
        assert!(BlockHeader::unmarshal(&bytes).is_err());
        bytes[at] = 0;
    }
    assert!(BlockHeader::unmarshal(&bytes[..80]).is_err());
}

#[test]
fn duplicates_go_as_in_servers_of_today() {
    let name = "dedup_v1.150.0";
    for case in cases(name) {
        let dedup = Dedup { interval_ms: int(&case["interval_ms"]) };
        let (mut timestamps, mut values) = (ints(&case["timestamps"]), floats(&case["values"]));
        dedup.floats(&mut timestamps, &mut values);
        assert_eq!(timestamps, ints::<i64>(&case["query_timestamps"]), "{name} {case}");
        assert_eq!(bits(&values), bits(&floats(&case["query_values"])), "{name} {case}");
        let (mut timestamps, mut mantissas) = (ints(&case["timestamps"]), ints(&case["mantissas"]));
        dedup.mantissas(&mut timestamps, &mut mantissas);
        assert_eq!(timestamps, ints::<i64>(&case["merge_timestamps"]), "{name} {case}");
        assert_eq!(mantissas, ints::<i64>(&case["merge_mantissas"]), "{name} {case}");
    }
}

/// The blocks of one in-memory part, encoded, in order.
fn part(series: &[Value]) -> VecDeque<Block> {
    let mut blocks = Vec::new();
    for series in series {
        let (timestamps, values): (Vec<i64>, _) = (ints(&series["timestamps"]), floats(&series["values"]));
        for (timestamps, values) in timestamps.chunks(8192).zip(values.chunks(8192)) {
            let mut block =
                Block::from_rows(tsid(&series["tsid"]), timestamps, values, int(&series["precision_bits"]), None);
            block.encode(Effort::Fast).unwrap();
            let mut copy = Block::default();
            copy.copy_from_encoded(block.header(), block.data().0, block.data().1);
            blocks.push(copy);
        }
    }
    blocks.sort_by(|a, b| a.header().order(b.header()));
    blocks.into()
}

/// The merge of engine-behaviour §5, but for the heap: equal keys come in the order of parts.
#[test]
fn merges() {
    for case in cases("merge") {
        let name = case["name"].as_str().unwrap();
        if name.starts_with("ties") {
            continue;
        }
        let mut parts: Vec<_> = list(&case["parts"]).iter().map(|case| part(list(&case["series"]))).collect();
        let deadline: i64 = int(&case["retention_deadline"]);
        let deleted: BTreeSet<u64> = ints(&case["deleted_metric_ids"]).into_iter().collect();
        let mut written = Vec::new();
        let mut rows_deleted = 0;
        let mut pending: Option<Block> = None;
        let mut scratch = Block::default();
        while let Some(next) =
            parts.iter_mut().filter(|part| !part.is_empty()).min_by(|a, b| a[0].header().order(b[0].header()))
        {
            let mut block = next.pop_front().unwrap();
            if deleted.contains(&block.header().tsid.metric_id) || block.header().max_timestamp < deadline {
                rows_deleted += block.rows() as u64;
                continue;
            }
            let Some(before) = &mut pending else {
                pending = Some(block);
                continue;
            };
            let same_series = before.header().tsid.metric_id == block.header().tsid.metric_id;
            if !same_series || before.too_big() && before.header().max_timestamp <= block.header().min_timestamp {
                written.extend(pending.replace(block));
                continue;
            }
            rows_deleted += merge_into_pending(before, &mut block, &mut scratch, deadline).unwrap();
            let mut full = Block::default();
            while before.take_full(&mut full) {
                written.push(std::mem::take(&mut full));
            }
            if before.is_empty() {
                pending = None;
            }
        }
        written.extend(pending);
        assert_eq!(rows_deleted, int::<u64>(&case["rows_deleted"]), "{name}");
        let expected = list(&case["out"]["blocks"]);
        assert_eq!(written.len(), expected.len(), "{name}");
        for (block, expected) in written.iter_mut().zip(expected) {
            block.encode(Effort::Thorough).unwrap();
            let header = *block.header();
            assert_eq!(header.tsid, tsid(&expected["tsid"]), "{name}");
            assert_eq!(header.rows_count, int::<u32>(&expected["rows_count"]), "{name}");
            assert_eq!(header.min_timestamp, int::<i64>(&expected["min_timestamp"]), "{name}");
            assert_eq!(header.max_timestamp, int::<i64>(&expected["max_timestamp"]), "{name}");
            assert_eq!(header.first_value, int::<i64>(&expected["first_value"]), "{name}");
            assert_eq!(header.scale, int::<i16>(&expected["scale"]), "{name}");
            assert_eq!(header.precision_bits, int::<u8>(&expected["precision_bits"]), "{name}");
            // From the bytes, as a reader of the part would have them.
            let mut read = Block::default();
            read.copy_from_encoded(&header, block.data().0, block.data().1);
            read.decode().unwrap();
            assert!(read.columns().0 == ints::<i64>(&expected["timestamps"]), "{name}");
            assert!(read.columns().1 == ints::<i64>(&expected["mantissas"]), "{name}");
        }
    }
}

#[test]
fn queries_see_only_their_range() {
    let timestamps: Vec<i64> = (0..8192).map(|i| 1000 + i / 2 * 10).collect();
    let values: Vec<f64> = (0..8192).map(|i| f64::from(i % 97) / 10.0).collect();
    let mut block = Block::from_rows(Tsid::default(), &timestamps, &values, 64, None);
    block.encode(Effort::Fast).unwrap();
    let mut decoder = Decoder::default();
    for (min, max) in
        [(i64::MIN, i64::MAX), (1000, 1000), (1005, 1009), (1010, 5000), (0, 999), (50_000, 7), (41_950, 99_999)]
    {
        let (mut read_timestamps, mut read_values) = (vec![1], vec![2.0]);
        let (timestamps_data, values_data) = block.data();
        let range = TimeRange { min, max };
        let found = decoder
            .append(block.header(), timestamps_data, values_data, range, &mut read_timestamps, &mut read_values)
            .unwrap();
        let expected: (Vec<i64>, Vec<f64>) =
            timestamps.iter().zip(&values).filter(|(timestamp, _)| range.contains(**timestamp)).unzip();
        assert_eq!(found, expected.0.len());
        assert_eq!(read_timestamps[1..], expected.0);
        assert_eq!(read_values[1..], expected.1);
    }
}

#[test]
fn timestamps_out_of_order_are_an_error() {
    let timestamps: Vec<i64> = (0..100).map(|i| i * i % 89).collect();
    let mut header =
        BlockHeader { rows_count: 100, precision_bits: 64, max_timestamp: timestamps[99], ..BlockHeader::default() };
    let mut data = Vec::new();
    let (marshal_type, first) =
        sandglass::encoding::marshal::marshal_int64s(&timestamps, 64, Effort::Fast, &mut data).unwrap();
    header.timestamps_marshal_type = marshal_type;
    header.min_timestamp = first;
    header.values_marshal_type = MarshalType::Const;
    header.timestamps_block_size = data.len() as u32;
    let mut block = Block::default();
    block.copy_from_encoded(&header, &data, &[]);
    assert!(block.decode().is_err());
    let (mut read_timestamps, mut read_values) = (Vec::new(), Vec::new());
    let mut decoder = Decoder::default();
    assert!(decoder.append(&header, &data, &[], TimeRange::ALL, &mut read_timestamps, &mut read_values).is_err());
    assert!(read_timestamps.is_empty() && read_values.is_empty());
}

#[test]
fn a_block_is_taken_to_pieces_as_the_server_made_it() {
    let mut kinds = BTreeSet::new();
    for case in cases("int64s") {
        let precision_bits: u8 = int(&case["precision_bits"]);
        let values: Vec<i64> = ints(&case["values"]);
        let marshal_type = MarshalType::try_from(int::<u8>(&case["marshal_type"])).unwrap();
        if values.is_empty() || values.len() > 16_384 || precision_bits < 64 {
            continue;
        }
        let stored = hex(&case["encoded"]);
        let header = BlockHeader {
            min_timestamp: 5,
            max_timestamp: 5,
            first_value: int(&case["first_value"]),
            values_block_size: stored.len() as u32,
            rows_count: values.len() as u32,
            timestamps_marshal_type: MarshalType::Const,
            values_marshal_type: marshal_type,
            precision_bits,
            ..BlockHeader::default()
        };
        let details = BlockDetails::of(header, Default::default(), stored.clone().into()).unwrap();
        let column = &details.mantissas;
        assert_eq!(column.integers, values, "{case}");
        assert_eq!(column.stored, stored);
        let payload = case["payload"].as_str().map_or(stored, |_| hex(&case["payload"]));
        assert_eq!(column.varints, payload, "{case}");
        let (kind, expected) = match column.course {
            Course::Const => ("const", vec![MarshalType::Const]),
            Course::DeltaConst => ("delta const", vec![MarshalType::DeltaConst]),
            Course::Negative { at } => {
                assert!(values[at] < 0, "{case}");
                ("negative", vec![MarshalType::NearestDelta, MarshalType::ZstdNearestDelta])
            }
            Course::Falls { at } => {
                assert!(values[at] < values[at - 1] && values[at] > values[at - 1] / 8, "{case}");
                ("falls", vec![MarshalType::NearestDelta, MarshalType::ZstdNearestDelta])
            }
            Course::Resets { .. } => ("resets", vec![MarshalType::NearestDelta, MarshalType::ZstdNearestDelta]),
            Course::Counter { .. } => ("counter", vec![MarshalType::NearestDelta2, MarshalType::ZstdNearestDelta2]),
        };
        assert!(expected.contains(&marshal_type), "{kind}: {case}");
        kinds.insert(kind);
        assert_eq!(details.timestamps.course, Course::Const);
        assert_eq!(details.values.len(), values.len());
    }
    assert!(kinds.len() >= 5, "{kinds:?}");
}

#[test]
fn a_damaged_block_is_not_taken_to_pieces() {
    let header = BlockHeader {
        rows_count: 3,
        values_block_size: 2,
        timestamps_marshal_type: MarshalType::Const,
        values_marshal_type: MarshalType::ZstdNearestDelta,
        precision_bits: 64,
        ..BlockHeader::default()
    };
    assert!(BlockDetails::of(header, Default::default(), vec![1, 2].into()).is_err());
}
