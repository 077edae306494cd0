//! No file imports another one that leads back to it: neither inside a room of `src/` nor in `www/src`.
//!
//! A `mod.rs` that shows what its children hold with `pub use` is a door: who comes through it imports the child and not the
//! door. What `mod.rs` defines itself is there for its children. In `www/src` what counts is what is loaded at once: types are gone by then, and
//! what `import()` loads later finds the rest there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Imports inside a room that close a circle between siblings. No others may come.
const PIECES: &[(&str, &str)] = &[
    ("query/language/parser.rs", "query/language/template.rs"),
    ("query/language/selector.rs", "query/language/parser.rs"),
    ("query/language/selector.rs", "query/language/template.rs"),
];

/// What each file imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// For each file that leads back to itself, what it imports of those that lead back to it.
fn circles(imports: &Imports) -> Imports {
    let reached = |from: &String| {
        let (mut reached, mut to_visit) = (BTreeSet::new(), vec![from]);
        while let Some(file) = to_visit.pop() {
            to_visit.extend(imports.get(file).into_iter().flatten().filter(|file| reached.insert((*file).clone())));
        }
        reached
    };
    let reached: Imports = imports.keys().map(|file| (file.clone(), reached(file))).collect();
    let leads_back = |from: &str, to: &str| reached.get(to).is_some_and(|reached| reached.contains(from));
    let mut circles = Imports::new();
    for (from, files) in imports {
        let back: BTreeSet<String> = files.iter().filter(|to| leads_back(from, to)).cloned().collect();
        if !back.is_empty() {
            circles.insert(from.clone(), back);
        }
    }
    circles
}

fn assert_no_circle(dir: &str, imports: &Imports) {
    let circles = circles(imports);
    let lines: Vec<String> = circles.iter().map(|(from, to)| format!("{from} imports {to:?}")).collect();
    assert!(circles.is_empty(), "files of {dir} import each other in a circle:\n{}", lines.join("\n"));
}

/// All files below `dir` with this ending and their texts.
fn files_below(dir: &Path, ending: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path, ending));
        } else if path.to_str().is_some_and(|name| name.ends_with(ending)) {
            let text = fs::read_to_string(&path).unwrap();
            found.insert(path, text);
        }
    }
    found
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

// ---- Rust --------------------------------------------------------------------------------------------------------------

/// A module: its name, its text without comments and tests, and its `use` statements apart from the rest.
struct Module {
    file: String,
    /// Paths of `use` and `pub use`, groups resolved, each with whether it is `pub`.
    uses: Vec<(bool, Vec<String>)>,
    code: String,
}

/// The paths that a `use` tree names, `{}` groups resolved.
fn paths_of(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some((before, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or("");
        return vec![path.split("::").map(|name| name.trim().to_owned()).collect()];
    };
    let prefix: Vec<String> =
        before.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let group = group.rsplit_once('}').map_or(group, |(group, _)| group);
    let (mut depth, mut from, mut paths) = (0, 0, Vec::new());
    for (at, letter) in group.char_indices().chain([(group.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let branch = group[from..at].trim();
                from = at + 1;
                if !branch.is_empty() {
                    paths.extend(paths_of(branch).into_iter().map(|path| [prefix.clone(), path].concat()));
                }
            }
            _ => {}
        }
    }
    paths
}

fn module(file: String, text: &str) -> Module {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or("");
    let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or("")).collect();
    let (mut uses, mut rest) = (Vec::new(), String::new());
    for statement in code.join("\n").split_inclusive(';') {
        // Attributes and what else stands before it on lines of its own are no part of it.
        let at = statement.rmatch_indices("use ").map(|(at, _)| at).find(|at| {
            let line = &statement[..*at];
            let line = line.rsplit('\n').next().unwrap_or("").trim();
            line.is_empty() || line.starts_with("pub")
        });
        match at {
            Some(at) => {
                rest.push_str(&statement[..at]);
                let is_public = statement[..at].rsplit('\n').next().unwrap_or("").contains("pub");
                let tree = statement[at + "use ".len()..].trim_end_matches(';');
                uses.extend(paths_of(tree).into_iter().map(|path| (is_public, path)));
            }
            None => rest.push_str(statement),
        }
    }
    Module { file, uses, code: rest }
}

/// The paths in code that begin with this word: `word::a::b`.
fn inline_paths(code: &str, word: &str) -> Vec<Vec<String>> {
    let begin = format!("{word}::");
    let is_start = |at: usize| !code[..at].ends_with(|letter: char| is_word(letter) || letter == ':');
    code.match_indices(&begin)
        .filter(|(at, _)| is_start(*at))
        .map(|(at, _)| {
            let path = code[at..].split(|letter: char| !is_word(letter) && letter != ':').next().unwrap_or("");
            path.split("::").map(str::to_owned).collect()
        })
        .collect()
}

type Modules = BTreeMap<Vec<String>, Module>;

/// The module in which the item of this path is defined, looked for from the module `at`; `None` when it is not of this crate.
fn defined_in(modules: &Modules, at: &[String], path: &[String], doors: usize) -> Option<Vec<String>> {
    let mut module: Vec<String> = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "self" => at.to_vec(),
        "super" => at.split_last()?.1.to_vec(),
        child => {
            let child = [at, &[child.to_owned()]].concat();
            modules.contains_key(&child).then_some(())?;
            child
        }
    };
    for (number, name) in path.iter().enumerate().skip(1) {
        if name == "self" {
            return Some(module);
        }
        if name == "super" {
            module.pop();
            continue;
        }
        let child = [&module[..], std::slice::from_ref(name)].concat();
        if modules.contains_key(&child) {
            module = child;
            continue;
        }
        // Through the door, when there is one.
        let shown =
            modules.get(&module)?.uses.iter().find(|(is_public, shown)| *is_public && shown.last() == Some(name));
        return match shown {
            Some((_, shown)) if doors > 0 => {
                let rest = [&shown[..], &path[number + 1..]].concat();
                defined_in(modules, &module, &rest, doors - 1).or(Some(module))
            }
            _ => Some(module),
        };
    }
    Some(module)
}

#[test]
fn no_circle_inside_a_room() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = Modules::new();
    for (path, text) in files_below(&root, ".rs") {
        let below = path.strip_prefix(&root).unwrap().with_extension("");
        let mut names: Vec<String> = below.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
        // They list rooms and hold nothing else.
        if names == ["lib"] || names[0] == "kernel" {
            continue;
        }
        if names.last().is_some_and(|name| name == "mod") {
            names.pop();
        }
        modules.insert(names, module(path.strip_prefix(&root).unwrap().display().to_string(), &text));
    }
    assert!(modules.len() > 50, "only {} files were looked at", modules.len());
    let mut imports = Imports::new();
    for (at, module) in &modules {
        let mut paths: Vec<Vec<String>> = Vec::new();
        for (is_public, path) in &module.uses {
            let name = path.last().map_or("", String::as_str);
            let is_used = module.code.split(|letter: char| !is_word(letter)).any(|word| word == name);
            if !is_public || is_used {
                paths.push(path.clone());
            }
        }
        let children = modules.keys().filter(|child| child.len() == at.len() + 1 && child.starts_with(at));
        let beginnings = children.map(|child| child.last().cloned().unwrap_or_default());
        for word in beginnings.chain(["crate", "super", "self"].map(str::to_owned)) {
            paths.extend(inline_paths(&module.code, &word));
        }
        let of_room = |found: &Vec<String>| found.first() == at.first() && found != at;
        let found = paths.iter().filter_map(|path| defined_in(&modules, at, path, 8)).filter(of_room);
        imports.insert(
            module.file.clone(),
            found.filter_map(|found| modules.get(&found)).map(|module| module.file.clone()).collect(),
        );
    }
    let edges: usize = imports.values().map(BTreeSet::len).sum();
    assert!(edges > 100, "only {edges} imports were found");
    // A whole puts its pieces together, and the pieces use what their `mod.rs` defines for them.
    for (file, imported) in &mut imports {
        imported.retain(|other| other.strip_suffix("mod.rs").is_none_or(|room| !file.starts_with(room)));
    }
    let with_pieces = circles(&imports);
    for (piece, whole) in PIECES {
        let closes_circle = with_pieces.get(*piece).is_some_and(|imported| imported.contains(*whole));
        assert!(closes_circle, "{piece} is in no circle with {whole} any more: take the pair out of PIECES");
        imports.get_mut(*piece).map(|imported| imported.remove(*whole));
    }
    assert_no_circle("src/", &imports);
}

// ---- TypeScript --------------------------------------------------------------------------------------------------------

/// The files that a module of TypeScript loads before it runs, as they are written there.
fn named_files(text: &str) -> Vec<String> {
    let mut files = Vec::new();
    let is_loaded =
        |line: &&str| !["//", "*", "import type ", "export type "].iter().any(|begin| line.starts_with(begin));
    for line in text.lines().map(str::trim_start).filter(is_loaded) {
        for begin in ["from \"", "import \""] {
            files.extend(line.match_indices(begin).filter_map(|(at, _)| {
                let rest = &line[at + begin.len()..];
                Some(rest.split_once('"')?.0.to_owned()).filter(|file| file.starts_with('.'))
            }));
        }
    }
    files
}

#[test]
fn no_circle_in_the_package() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("www/src");
    let files = files_below(&root, ".ts");
    assert!(files.len() > 20, "only {} files were looked at", files.len());
    let mut imports = Imports::new();
    for (path, text) in &files {
        let mut found = BTreeSet::new();
        for file in named_files(text) {
            let mut to = path.parent().unwrap().to_path_buf();
            for name in file.split('/') {
                match name {
                    "." => {}
                    ".." => drop(to.pop()),
                    name => to.push(name),
                }
            }
            let to = to.with_extension("ts");
            if files.contains_key(&to) {
                found.insert(to.strip_prefix(&root).unwrap().display().to_string());
            }
        }
        imports.insert(path.strip_prefix(&root).unwrap().display().to_string(), found);
    }
    let edges: usize = imports.values().map(BTreeSet::len).sum();
    assert!(edges > 50, "only {edges} imports were found");
    assert_no_circle("www/src", &imports);
}

#[test]
fn circles_are_seen() {
    let module_of = |name: &str, text: &str| (name.split('/').map(str::to_owned).collect(), module(name.into(), text));
    let modules: Modules = [
        module_of("room", "mod door;\npub use deep::{Deep, other::{Else as Other}};\nuse door::Door;\nstruct Own;"),
        module_of("room/deep", "use super::Own;"),
        module_of("room/door", "use crate::room::{Deep, Own};"),
    ]
    .into();
    let found = |at: &str, path: &str| {
        let split = |text: &str, by: &str| text.split(by).map(str::to_owned).collect::<Vec<_>>();
        defined_in(&modules, &split(at, "/"), &split(path, "::"), 8).map(|found| found.join("/"))
    };
    assert_eq!(found("room/door", "crate::room::Deep"), Some("room/deep".into()));
    assert_eq!(found("room/door", "super::Own"), Some("room".into()));
    assert_eq!(found("room", "door::Door"), Some("room/door".into()));
    assert_eq!(found("room", "std::rc::Rc"), None);
    let imports = |edges: &[(&str, &str)]| {
        let mut imports = Imports::new();
        for (from, to) in edges {
            imports.entry((*from).into()).or_default().insert((*to).into());
        }
        imports
    };
    assert_eq!(circles(&imports(&[("a", "b"), ("b", "c"), ("a", "c")])), Imports::new());
    assert_eq!(circles(&imports(&[("a", "b"), ("b", "c"), ("c", "b")])), imports(&[("b", "c"), ("c", "b")]));
    assert_eq!(
        named_files("import { a } from \"./b.js\";\n// import \"./c.js\"\nawait import(\"../d.js\")"),
        ["./b.js"]
    );
}
