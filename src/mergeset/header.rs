//! What is known of a part as a whole: `metadata.json` and the directory's name (index-format §1).

use crate::error::{Error, Result};
use serde::Deserialize;

/// Counts and bounds of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHeader {
    /// Items in all blocks.
    pub items: u64,
    /// Number of blocks.
    pub blocks: u64,
    /// The first item.
    pub first_item: Vec<u8>,
    /// The last item.
    pub last_item: Vec<u8>,
}

/// `metadata.json` as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    items_count: u64,
    blocks_count: u64,
    first_item: String,
    last_item: String,
}

impl PartHeader {
    /// The directory's name up to v1.89: `<items>_<blocks>_<suffix>`.
    pub fn dir_name(&self, suffix: u64) -> String {
        format!("{}_{}_{suffix:016X}", self.items, self.blocks)
    }

    /// The content of `metadata.json`, indented by tabs as up to v1.89.
    pub fn metadata_json(&self) -> String {
        format!(
            "{{\n\t\"ItemsCount\": {},\n\t\"BlocksCount\": {},\n\t\"FirstItem\": \"{}\",\n\t\"LastItem\": \"{}\"\n}}",
            self.items,
            self.blocks,
            to_hex(&self.first_item),
            to_hex(&self.last_item)
        )
    }

    /// Reads `metadata.json` in any layout.
    ///
    /// # Errors
    /// `Corrupt` when it can't be read or its counts make no sense.
    pub fn parse_metadata(text: &[u8]) -> Result<Self> {
        let metadata: Metadata = serde_json::from_slice(text)
            .map_err(|error| Error::corrupt(format!("metadata.json can't be read: {error}")))?;
        let header = Self {
            items: metadata.items_count,
            blocks: metadata.blocks_count,
            first_item: from_hex(metadata.first_item.as_bytes())?,
            last_item: from_hex(metadata.last_item.as_bytes())?,
        };
        if header.blocks == 0 || header.blocks > header.items {
            return Err(Error::corrupt(format!(
                "metadata.json: {} items can't lie in {} blocks",
                header.items, header.blocks
            )));
        }
        if header.first_item > header.last_item {
            return Err(Error::corrupt("metadata.json: the first item is behind the last"));
        }
        Ok(header)
    }

    /// Compares the header with the directory's name: `<items>_<blocks>_<suffix>`, or 16 hex digits since v1.90. Returns the
    /// suffix.
    ///
    /// # Errors
    /// `Corrupt` when the name has another form or tells other counts.
    pub fn check_dir_name(&self, name: &str) -> Result<u64> {
        let suffix = |text: &str| {
            let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten()
        };
        if let Some(suffix) = suffix(name) {
            return Ok(suffix);
        }
        let fail = |why: String| {
            Error::corrupt(format!("{name:?} is no index part's name, i.e. <items>_<blocks>_<suffix>: {why}"))
        };
        let fields: Vec<&str> = name.split('_').collect();
        let [items, blocks, suffix_text] = fields[..] else {
            return Err(fail(format!("it has {} fields", fields.len())));
        };
        let counts = (items.parse(), blocks.parse());
        if counts != (Ok(self.items), Ok(self.blocks)) {
            return Err(fail(format!("metadata.json tells {} items and {} blocks", self.items, self.blocks)));
        }
        // The server takes any suffix; ours must not repeat one that is a number.
        Ok(suffix(suffix_text).unwrap_or(0))
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &[u8]) -> Result<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.chunks(2);
    let bytes = pairs.map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    bytes
        .collect::<Option<_>>()
        .ok_or_else(|| Error::corrupt("metadata.json: an item is written in hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_and_names_come_back() {
        let header = PartHeader { items: 12, blocks: 3, first_item: vec![0, 255], last_item: vec![1] };
        let json = header.metadata_json();
        assert_eq!(
            json,
            "{\n\t\"ItemsCount\": 12,\n\t\"BlocksCount\": 3,\n\t\"FirstItem\": \"00ff\",\n\t\"LastItem\": \"01\"\n}"
        );
        assert_eq!(PartHeader::parse_metadata(json.as_bytes()).unwrap(), header);
        let name = header.dir_name(0x17ab);
        assert_eq!(name, "12_3_00000000000017AB");
        assert_eq!(header.check_dir_name(&name), Ok(0x17ab));
        assert_eq!(header.check_dir_name("00000000000017ab"), Ok(0x17ab));
        for bad in ["12_3", "12_4_0", "x_3_0", "12_3_0_0", "tmp", ""] {
            assert!(header.check_dir_name(bad).is_err(), "{bad}");
        }
        for bad in ["", "{}", "{\"ItemsCount\":1,\"BlocksCount\":2,\"FirstItem\":\"\",\"LastItem\":\"\"}"] {
            assert!(PartHeader::parse_metadata(bad.as_bytes()).is_err(), "{bad}");
        }
        let odd = json.replace("00ff", "00f");
        assert!(PartHeader::parse_metadata(odd.as_bytes()).is_err());
    }
}
