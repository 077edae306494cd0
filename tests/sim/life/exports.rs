//! Exports that are read piece by piece.

use super::Life;
use super::STALE;
use super::ask::Ask;
use crate::model::Wrong;
use sandglass::engine::{Command, ExportFormat};

impl Life {
    pub(super) fn export(&mut self) {
        let open: Vec<u32> =
            self.exports.iter().filter(|(_, export)| !export.is_waiting).map(|(cursor, _)| *cursor).collect();
        match open.first() {
            Some(&cursor) if self.world.random.chance(15) => {
                self.exports.remove(&cursor);
                self.send(Command::ExportClose { cursor }, Ask::Done);
            }
            Some(&cursor) => self.next_of_export(cursor),
            None => {
                let (chosen, range) = (self.choose(), self.choose_range());
                let (began, visible) = (self.world.model.tick(), self.world.model.visible_mark());
                let selector = Some(chosen.selector());
                self.send(
                    Command::ExportOpen { format: ExportFormat::JsonLines, selector, range },
                    Ask::ExportOpen { chosen, range, began, visible },
                );
            }
        }
    }

    pub(super) fn next_of_export(&mut self, cursor: u32) {
        if let Some(export) = self.exports.get_mut(&cursor) {
            export.is_waiting = true;
        }
        self.send(Command::ExportNext { cursor }, Ask::ExportNext { cursor });
    }

    pub(super) fn exported(&mut self, cursor: u32, chunk: Option<Vec<u8>>) -> Result<(), Wrong> {
        let Some(export) = self.exports.get_mut(&cursor) else { return Ok(()) };
        export.is_waiting = false;
        if let Some(chunk) = chunk {
            export.text.extend(chunk);
            return Ok(());
        }
        let Some(export) = self.exports.remove(&cursor) else { return Ok(()) };
        let mut found = Vec::new();
        // Infinities are bare words, as the server of this version writes them, and staleness markers are null.
        let text =
            String::from_utf8_lossy(&export.text).replace("+Inf", "\"Infinity\"").replace("-Inf", "\"-Infinity\"");
        for line in text.lines() {
            let line: serde_json::Value =
                serde_json::from_str(line).map_err(|error| format!("a line is no JSON: {error}"))?;
            let strings = |value: &serde_json::Value| value.as_str().map(str::to_owned);
            let metric = line["metric"].as_object().ok_or("a line without labels")?;
            let mut labels: Vec<(String, String)> =
                metric.iter().filter_map(|(key, value)| Some((key.clone(), strings(value)?))).collect();
            labels.sort();
            let numbers = |name: &str| line[name].as_array().cloned().unwrap_or_default();
            let timestamps = numbers("timestamps").iter().filter_map(serde_json::Value::as_i64).collect();
            let value = |value: &serde_json::Value| match value.as_str() {
                Some("Infinity") => f64::INFINITY,
                Some("-Infinity") => f64::NEG_INFINITY,
                _ => value.as_f64().unwrap_or(f64::from_bits(STALE)),
            };
            let values = numbers("values").iter().map(value).collect();
            found.push(sandglass::engine::SeriesData { labels, timestamps, values });
        }
        let bounds = self.world.model.bounds(&export.chosen, export.range, export.began, export.visible);
        self.world.model.compare(&found, &bounds).map_err(|wrong| format!("export: {wrong}"))
    }
}
