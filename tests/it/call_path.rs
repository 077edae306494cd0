//! The call path that `docs/ARCHITECTURE.md` and the page show, row by row: what they name is there.

use serde_json::Value;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_row_names_a_function_that_is_there_and_stands_in_the_map() {
    let map = read("docs/ARCHITECTURE.md");
    let groups: Value = serde_json::from_str(&read("www/page/inside/call_path.json")).unwrap();
    let mut rest = map.as_str();
    let mut rows = 0;
    for row in groups.as_array().unwrap().iter().flat_map(|group| group["rows"].as_array().unwrap()) {
        let text = |key: &str| row[key].as_str().unwrap();
        let (file, name) = (text("file"), text("name"));
        let source = read(file);
        assert!(source.contains(&format!("fn {name}(")) || source.contains(&format!("fn {name}<")), "{name} in {file}");
        let calls = if text("calls").is_empty() { String::new() } else { format!("`{}`", text("calls")) };
        let line = format!("| `{}` | {calls} | {} | `{name}` in `{file}` |\n", text("server"), text("what"));
        let at = rest.find(&line).unwrap_or_else(|| panic!("docs/ARCHITECTURE.md lacks, or has elsewhere: {line}"));
        rest = &rest[at..];
        rows += 1;
    }
    assert_eq!(rows, 34, "the call path has as many rows");
}

#[test]
fn every_step_of_the_picture_names_a_function_that_is_there() {
    let steps = read("www/page/inside/steps.ts");
    let texts_of = |key: &str| -> Vec<String> {
        let begin = format!("{key}: \"");
        steps.split(&begin).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    let (files, functions) = (texts_of("file"), texts_of("fn"));
    assert_eq!((files.len(), functions.len()), (17, 17));
    for (file, function) in files.iter().zip(&functions) {
        assert!(read(file).contains(&format!("fn {function}(")), "{function} in {file}");
    }
}
