//! The floors of `src/`: imports run downward, siblings don't know each other. The table is the one in `docs/ARCHITECTURE.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Rooms by floor, the lowest first.
const FLOORS: &[&[&str]] = &[
    &["error"],
    &["collections", "time"],
    &["encoding"],
    &["metric", "trace"],
    &["fs"],
    &["runtime"],
    &["merge"],
    &["block", "log", "mergeset", "query"],
    &["index", "part"],
    &["partition"],
    &["archive", "formats", "http"],
    &["storage"],
    &["executor"],
    &["engine"],
    &["wasm"],
];

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn sources(dir: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The rooms a source text names behind `crate::`, outside of comments.
fn imported_rooms(text: &str) -> Vec<String> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    let mut rooms = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or("").split(',').map(str::trim).collect(),
            None => vec![rest],
        };
        for name in names {
            rooms.push(name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    rooms
}

#[test]
fn imports_run_downward() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 50, "only {} files were looked at", files.len());
    let mut wrong = Vec::new();
    for (path, text) in &files {
        let below = Path::new(path).strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let room = below.split(['/', '.']).next().unwrap();
        // They list rooms and hold nothing else.
        if room == "lib" || room == "kernel" {
            continue;
        }
        let Some(own_floor) = floor_of(room) else {
            wrong.push(format!(
                "src/{below}: the room {room} has no floor; give it one here and in docs/ARCHITECTURE.md"
            ));
            continue;
        };
        for imported in imported_rooms(text) {
            match floor_of(&imported) {
                _ if imported == room => {}
                Some(floor) if floor < own_floor => {}
                Some(_) => wrong
                    .push(format!("src/{below}: {room} (floor {own_floor}) imports {imported}, which is not below it")),
                None => wrong.push(format!("src/{below}: imports {imported}, which has no floor")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_file_names_the_zstd_crates() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut naming: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, text) in &files {
        for name in ["zrip::", "ruzstd::"] {
            if text.contains(name) {
                naming.entry(name).or_default().push(path);
            }
        }
    }
    for (name, paths) in naming {
        assert!(paths.iter().all(|path| path.ends_with("encoding/zstd.rs")), "{name} is named in {paths:?}");
    }
}

#[test]
fn the_map_names_every_room() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md")).unwrap();
    for room in FLOORS.iter().flat_map(|rooms| rooms.iter()) {
        assert!(map.contains(&format!("`{room}")), "docs/ARCHITECTURE.md says nothing of the room {room}");
    }
    // Every file the map points at exists.
    for reference in map.split('`').filter(|text| text.starts_with("src/") && text.ends_with(".rs")) {
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(reference).exists(),
            "docs/ARCHITECTURE.md points at {reference}"
        );
    }
}
