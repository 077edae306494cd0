//! A sorted run of items, and its two encodings (index-format §1.1).
//!
//! ```text
//! plain   items   s1 s2 …                        without the common prefix, back to back
//!         lens    u64 |s1|  u64 |s2|  …
//! zstd    items   zstd( s1[p1..] s2[p2..] … )    without what each shares with the one before
//!         lens    zstd( p1^p0 p2^p1 … |s1|^|s0| |s2|^|s1| … )   as varuints, p0 = 0
//! ```
//!
//! The first item is in neither: the block's header holds it, and the common prefix.

use super::block_header::{BlockHeader, MAX_ITEMS_COUNT, MarshalType};
use crate::encoding::int::{put_u64, put_varuint, take_u64, take_varuint};
use crate::encoding::zstd::{self, Effort};
use crate::error::{Error, Result};

/// The most that the items of a block have together, in bytes; a longer item can't be stored.
pub const MAX_BLOCK_LEN: usize = 65_536;
/// Blocks of fewer bytes are stored plain.
const MIN_COMPRESSED_LEN: usize = 64;
/// What a reader puts up with: a writer of another version may count a little differently.
const MAX_READ_LEN: usize = 2 * MAX_BLOCK_LEN;

/// Items back to back in one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemsBlock {
    data: Vec<u8>,
    /// Where each item ends.
    ends: Vec<u32>,
}

impl ItemsBlock {
    /// Adds an item at the end; `false` when it does not fit any more.
    #[must_use]
    pub fn push(&mut self, item: &[u8]) -> bool {
        let len = self.data.len() + item.len();
        if len > MAX_BLOCK_LEN {
            return false;
        }
        self.data.extend_from_slice(item);
        self.ends.push(len as u32);
        true
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all items.
    pub fn items_len(&self) -> usize {
        self.data.len()
    }

    /// Bytes of memory it takes, roughly.
    pub fn memory_bytes(&self) -> usize {
        self.data.capacity() + self.ends.capacity() * size_of::<u32>()
    }

    /// The item at `at`, which must be there.
    #[inline]
    pub fn item(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.data[start..self.ends[at] as usize]
    }

    /// All items.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator {
        (0..self.len()).map(|at| self.item(at))
    }

    /// The first item.
    pub fn first(&self) -> Option<&[u8]> {
        (!self.is_empty()).then(|| self.item(0))
    }

    /// The last item.
    pub fn last(&self) -> Option<&[u8]> {
        self.len().checked_sub(1).map(|at| self.item(at))
    }

    /// Takes all items out and keeps the memory.
    pub fn clear(&mut self) {
        self.data.clear();
        self.ends.clear();
    }

    /// Index of the first item from `from` on that is not less than `key`. Looks near `from` first, since lookups in order are
    /// the rule.
    pub fn lower_bound(&self, from: usize, key: &[u8]) -> usize {
        let mut low = from;
        let mut step = 1;
        while low + step <= self.len() && self.item(low + step - 1) < key {
            low += step;
            step *= 2;
        }
        let mut high = (low + step - 1).min(self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.item(middle) < key { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Index of the first item from `from` on that is greater than `key`.
    pub fn upper_bound(&self, from: usize, key: &[u8]) -> usize {
        let mut low = from;
        let mut step = 1;
        while low + step <= self.len() && self.item(low + step - 1) <= key {
            low += step;
            step *= 2;
        }
        let mut high = (low + step - 1).min(self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.item(middle) <= key { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Whether the items are in order.
    pub fn is_sorted(&self) -> bool {
        (1..self.len()).all(|at| self.item(at - 1) <= self.item(at))
    }

    /// Sorts the items by their bytes.
    pub fn sort(&mut self) {
        if self.is_sorted() {
            return;
        }
        // Eight bytes of each item decide most comparisons without touching the item.
        let mut order: Vec<(u64, u32)> = (0..self.len()).map(|at| (first_bytes(self.item(at)), at as u32)).collect();
        order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| self.item(a.1 as usize).cmp(self.item(b.1 as usize))));
        let mut sorted = Self { data: Vec::with_capacity(self.data.len()), ends: Vec::with_capacity(self.ends.len()) };
        for (_, at) in order {
            sorted.data.extend_from_slice(self.item(at as usize));
            sorted.ends.push(sorted.data.len() as u32);
        }
        *self = sorted;
    }

    /// Length of the longest prefix that all of the sorted items share.
    fn common_prefix_len(&self) -> usize {
        match (self.first(), self.last()) {
            (Some(first), Some(last)) => shared_len(first, last),
            _ => 0,
        }
    }

    /// What the two data of the zstd form hold before they are compressed, appended.
    pub fn zstd_payloads(&self, items: &mut Vec<u8>, lens: &mut Vec<u8>) {
        let prefix_len = self.common_prefix_len();
        let stripped_lens = self.iter().map(|item| (item.len() - prefix_len) as u64);
        let mut shared_before = 0;
        let mut before: &[u8] = &[];
        for (at, item) in self.iter().enumerate() {
            let item = &item[prefix_len..];
            if at > 0 {
                let shared = shared_len(before, item);
                items.extend_from_slice(&item[shared..]);
                put_varuint(lens, (shared ^ shared_before) as u64);
                shared_before = shared;
            }
            before = item;
        }
        let mut len_before = None;
        for len in stripped_lens {
            if let Some(before) = len_before {
                put_varuint(lens, len ^ before);
            }
            len_before = Some(len);
        }
    }

    /// Appends the encoded block to `items` and `lens`, and says what its header says; the offsets are those of the buffers'
    /// present ends. The block must be sorted and hold at least one item.
    pub fn encode(&self, effort: Effort, items: &mut Vec<u8>, lens: &mut Vec<u8>) -> Result<BlockHeader> {
        debug_assert!(self.is_sorted() && !self.is_empty(), "a block of the index is sorted and not empty");
        let (items_start, lens_start) = (items.len(), lens.len());
        let prefix_len = self.common_prefix_len();
        let mut header = BlockHeader {
            common_prefix: self.item(0)[..prefix_len].to_vec(),
            first_item: self.item(0).to_vec(),
            marshal_type: MarshalType::Plain,
            // At most 65536 bytes of items, and duplicates of the empty item are not worth a thought.
            items_count: self.len() as u32,
            items_block_offset: 0,
            lens_block_offset: 0,
            items_block_size: 0,
            lens_block_size: 0,
        };
        let rest_len = self.data.len() - prefix_len * self.len();
        let mut is_plain = self.len() < 2 || rest_len < MIN_COMPRESSED_LEN;
        if !is_plain {
            let (mut items_payload, mut lens_payload) =
                (Vec::with_capacity(rest_len), Vec::with_capacity(4 * self.len()));
            self.zstd_payloads(&mut items_payload, &mut lens_payload);
            zstd::compress(&items_payload, effort, items)?;
            is_plain = (items.len() - items_start) as f64 > 0.9 * rest_len as f64;
            if is_plain {
                items.truncate(items_start);
            } else {
                zstd::compress(&lens_payload, effort, lens)?;
                header.marshal_type = MarshalType::Zstd;
            }
        }
        if is_plain {
            for item in self.iter().skip(1) {
                items.extend_from_slice(&item[prefix_len..]);
                put_u64(lens, (item.len() - prefix_len) as u64);
            }
        }
        header.items_block_size = (items.len() - items_start) as u32;
        header.lens_block_size = (lens.len() - lens_start) as u32;
        Ok(header)
    }

    /// Decodes a block.
    ///
    /// # Errors
    /// `Corrupt` when header and data don't make a sorted block of the announced number of items.
    pub fn decode(header: &BlockHeader, items: &[u8], lens: &[u8]) -> Result<Self> {
        let count = header.items_count as usize;
        let first = &header.first_item[..];
        if count == 0 || count > MAX_ITEMS_COUNT as usize {
            return Err(Error::corrupt(format!("a block has 1 to {MAX_ITEMS_COUNT} items, its header says {count}")));
        }
        let prefix = &header.common_prefix[..];
        if !first.starts_with(prefix) || first.len() > MAX_READ_LEN {
            return Err(Error::corrupt("a block's first item does not begin with the common prefix, or is too long"));
        }
        // The first item counts for the room, the others have to come out of the data.
        let mut block = Self { data: first.to_vec(), ends: vec![first.len() as u32] };
        match header.marshal_type {
            MarshalType::Plain => block.decode_plain(count, prefix, items, lens)?,
            MarshalType::Zstd => block.decode_zstd(count, prefix, items, lens)?,
        }
        if !block.is_sorted() {
            return Err(Error::corrupt("the items of a block are not sorted"));
        }
        Ok(block)
    }

    fn decode_plain(&mut self, count: usize, prefix: &[u8], items: &[u8], lens: &[u8]) -> Result<()> {
        if lens.len() != (count - 1) * 8 {
            return Err(Error::corrupt(format!("{} bytes hold the lengths of {} items", lens.len(), count - 1)));
        }
        self.data.reserve(items.len().min(MAX_READ_LEN));
        self.ends.reserve(count - 1);
        let (mut items, mut lens) = (items, lens);
        while !lens.is_empty() {
            let (len, rest) = take_u64(lens)?;
            lens = rest;
            let item = usize::try_from(len).ok().and_then(|len| items.split_at_checked(len));
            let (item, rest) = item.ok_or_else(too_few_items)?;
            items = rest;
            self.add(prefix, item)?;
        }
        nothing_left(items)
    }

    fn decode_zstd(&mut self, count: usize, prefix: &[u8], items: &[u8], lens: &[u8]) -> Result<()> {
        let (mut items_payload, mut lens_payload) = (Vec::new(), Vec::new());
        zstd::decompress(items, MAX_READ_LEN, &mut items_payload)?;
        // Two numbers an item, of at most three bytes in their minimal form.
        zstd::decompress(lens, 6 * (count - 1), &mut lens_payload)?;
        let others = count - 1;
        if lens_payload.len() < 2 * others {
            return Err(Error::corrupt(format!("{} bytes hold {} lengths", lens_payload.len(), 2 * others)));
        }
        self.data.reserve(items_payload.len());
        self.ends.reserve(others);
        let mut lens_rest = &lens_payload[..];
        let mut shared_lens = Vec::with_capacity(others);
        let mut shared = 0;
        for _ in 0..others {
            let (change, rest) = take_varuint(lens_rest)?;
            lens_rest = rest;
            shared ^= change;
            shared_lens.push(shared);
        }
        let mut items_rest = &items_payload[..];
        let mut before = prefix.len()..self.data.len();
        let mut len = before.len() as u64;
        for shared in shared_lens {
            let (change, rest) = take_varuint(lens_rest)?;
            lens_rest = rest;
            len ^= change;
            let own_len = len.checked_sub(shared).and_then(|len| usize::try_from(len).ok());
            let is_shareable = usize::try_from(shared).is_ok_and(|shared| shared <= before.len());
            let (Some(own_len), true) = (own_len, is_shareable) else {
                return Err(Error::corrupt(format!(
                    "an item of {len} bytes shares {shared} with the one before, which has {}",
                    before.len()
                )));
            };
            let (own, rest) = items_rest.split_at_checked(own_len).ok_or_else(too_few_items)?;
            items_rest = rest;
            let start = self.data.len();
            self.add(prefix, &[])?;
            let shared_range = before.start..before.start + shared as usize;
            if self.data.len() + shared_range.len() + own.len() > MAX_READ_LEN {
                return Err(too_long());
            }
            self.data.extend_from_within(shared_range);
            self.data.extend_from_slice(own);
            if let Some(end) = self.ends.last_mut() {
                *end = self.data.len() as u32;
            }
            before = start + prefix.len()..self.data.len();
        }
        nothing_left(lens_rest)?;
        nothing_left(items_rest)
    }

    fn add(&mut self, prefix: &[u8], own: &[u8]) -> Result<()> {
        if self.data.len() + prefix.len() + own.len() > MAX_READ_LEN {
            return Err(too_long());
        }
        self.data.extend_from_slice(prefix);
        self.data.extend_from_slice(own);
        self.ends.push(self.data.len() as u32);
        Ok(())
    }
}

impl<'a> FromIterator<&'a [u8]> for ItemsBlock {
    /// As many of the items as fit.
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(items: I) -> Self {
        let mut block = Self::default();
        for item in items {
            if !block.push(item) {
                break;
            }
        }
        block
    }
}

fn first_bytes(item: &[u8]) -> u64 {
    match item.first_chunk() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; 8];
            bytes[..item.len()].copy_from_slice(item);
            u64::from_be_bytes(bytes)
        }
    }
}

/// Length of the longest prefix that two items share.
fn shared_len(a: &[u8], b: &[u8]) -> usize {
    let whole = a.chunks_exact(8).zip(b.chunks_exact(8)).take_while(|(a, b)| a == b).count() * 8;
    whole + a[whole..].iter().zip(&b[whole..]).take_while(|(a, b)| a == b).count()
}

fn nothing_left(rest: &[u8]) -> Result<()> {
    if rest.is_empty() {
        Ok(())
    } else {
        Err(Error::corrupt(format!("{} bytes are left over behind a block's last item", rest.len())))
    }
}

#[cold]
fn too_few_items() -> Error {
    Error::corrupt("a block's items are shorter than their lengths say")
}

#[cold]
fn too_long() -> Error {
    Error::corrupt(format!("the items of a block have more than {MAX_READ_LEN} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_of(count: usize) -> ItemsBlock {
        let items: Vec<Vec<u8>> =
            (0..count).map(|i| format!("prefix {:05} {}", i * 7919 % count, i % 3).into_bytes()).collect();
        let mut block: ItemsBlock = items.iter().map(|item| &item[..]).collect();
        block.sort();
        assert!(block.is_sorted() && block.len() == count);
        block
    }

    #[test]
    fn blocks_come_back() {
        for count in [1, 2, 3, 10, 1000] {
            let block = block_of(count);
            let (mut items, mut lens) = (vec![1], vec![2]);
            let header = block.encode(Effort::Fast, &mut items, &mut lens).unwrap();
            assert_eq!(ItemsBlock::decode(&header, &items[1..], &lens[1..]).unwrap(), block);
        }
    }

    #[test]
    fn lower_bounds_agree_with_a_plain_search() {
        let block = block_of(100);
        let keys: Vec<Vec<u8>> =
            block.iter().map(<[u8]>::to_vec).chain([b"".to_vec(), b"q".to_vec(), b"prefix 00050".to_vec()]).collect();
        for key in keys {
            let expected = block.iter().position(|item| item >= &key[..]).unwrap_or(block.len());
            for from in 0..=expected {
                assert_eq!(block.lower_bound(from, &key), expected);
            }
        }
    }

    #[test]
    fn damaged_blocks_are_errors_or_other_blocks() {
        for count in [3, 40] {
            let (mut items, mut lens) = (Vec::new(), Vec::new());
            let header = block_of(count).encode(Effort::Fast, &mut items, &mut lens).unwrap();
            for bit in 0..items.len() * 8 {
                let mut damaged = items.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                let _ = ItemsBlock::decode(&header, &damaged, &lens);
            }
            for bit in 0..lens.len() * 8 {
                let mut damaged = lens.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                let _ = ItemsBlock::decode(&header, &items, &damaged);
            }
            for count in [0, 1, count as u32 - 1, count as u32 + 1, u32::MAX] {
                let header = BlockHeader { items_count: count, ..header.clone() };
                assert!(ItemsBlock::decode(&header, &items, &lens).is_err());
            }
        }
    }
}
