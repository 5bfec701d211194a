//! Checks of these tests and of the profiles: every rule is described and tested, and every field of a profile is used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::source_files::{crate_folder, rust_files};
use crate::test_names::test_names;

#[test]
fn every_rule_is_described_and_has_a_test_with_its_number() {
    let (mut numbers, mut described) = (BTreeSet::new(), BTreeSet::new());
    for path in rust_files(&crate_folder("tests/it/rules")) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().count() <= 400, "{} is longer than 400 lines", path.display());
        let tests = test_names(&text);
        numbers.extend(tests.iter().filter_map(|name| number(name.strip_prefix("rule_")?, '_')));
        described.extend(text.lines().filter_map(|line| number(line.strip_prefix("//! - Rule ")?, ':')));
    }
    let missing: Vec<u32> = (1..=41).filter(|number| !numbers.contains(number)).collect();
    assert!(missing.is_empty() && numbers.last() == Some(&41), "rules without a test: {missing:?}");
    assert_eq!(described, numbers, "rules in the files' first lines, and rules with tests");
}

/// The rule's number before the separator.
fn number(text: &str, separator: char) -> Option<u32> {
    text.split(separator).next()?.parse().ok()
}

/// A field that no profile sets has no effect, and one that two functions read may have two meanings.
#[test]
fn every_profile_field_is_set_by_a_profile_and_read_in_one_function() {
    let source = crate_folder("src");
    let table = fs::read_to_string(source.join("profile/mod.rs")).unwrap();
    let field_names: Vec<String> = ["Profile", "Uploads"]
        .iter()
        .flat_map(|name| fields(&table, name))
        .filter(|field| field != "uploads")
        .collect();
    assert!(field_names.len() > 15, "{field_names:?}");
    let profiles: Vec<String> = rust_files(&source.join("profile/registries"))
        .iter()
        .filter(|path| !path.ends_with("generic.rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let mut readers: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for path in rust_files(&source) {
        let text = fs::read_to_string(&path).unwrap();
        let mut function = String::new();
        for line in text.lines().take_while(|line| *line != "#[cfg(test)]") {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let Some(at) = words.iter().position(|word| *word == "fn") {
                words[at + 1].split(['(', '<']).next().unwrap().clone_into(&mut function);
            }
            if function == LISTS_FOR_DISPLAY {
                continue;
            }
            for field in &field_names {
                if profile_expressions(&path).iter().any(|expression| reads(line, &format!("{expression}.{field}"))) {
                    readers.entry(field).or_default().insert(format!("{}: {function}", path.display()));
                }
            }
        }
    }
    for field in &field_names {
        let set = profiles.iter().any(|profile| profile.contains(&format!("{field}: ")));
        assert!(set, "no profile sets {field}");
        let count = readers.get(field.as_str()).map_or(0, BTreeSet::len);
        // Names and evidence are also displayed, by `regpass check` and on the pages.
        assert!(count == 1 || is_displayed(field), "{field} is read in {:?}", readers.get(field.as_str()));
    }
}

/// The function that names the hosts of vendors' APIs for `regpass check --egress` and the status page. It decides nothing.
const LISTS_FOR_DISPLAY: &str = "vendor_apis";

/// Whether the field describes what the registry is, not how it behaves.
fn is_displayed(field: &str) -> bool {
    ["name", "hosts", "host_patterns", "api_host", "evidence"].contains(&field)
}

/// The expressions for a profile in the code of this file.
fn profile_expressions(path: &Path) -> &'static [&'static str] {
    let is_table = path.parent().is_some_and(|folder| folder.ends_with("profile"));
    if is_table { &["profile", "self"] } else { &["profile()", "profile", "row", "uploads"] }
}

/// Whether the line has `text` up to the end of a word: `profile.delete`, not `profile.deletes` or `profile.delete(`.
fn reads(line: &str, text: &str) -> bool {
    line.match_indices(text).any(|(at, _)| {
        let after = line[at + text.len()..].chars().next();
        !after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '(')
    })
}

fn fields(table: &str, name: &str) -> Vec<String> {
    let body = table.split(&format!("pub struct {name} {{")).nth(1).unwrap().split("\n}").next().unwrap();
    let field = |line: &str| Some(line.trim().strip_prefix("pub ")?.split(':').next()?.to_owned());
    body.lines().filter_map(field).collect()
}
