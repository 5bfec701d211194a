//! What the rules' tests promise by their names, and what the knobs of the profiles promise by being there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_rule_has_a_test_that_bears_its_number() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/rules");
    let mut numbers = BTreeSet::new();
    for path in sources(&folder) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().count() <= 400, "{} is longer than 400 lines", path.display());
        let lines: Vec<&str> = text.lines().collect();
        let tests = lines.windows(2).filter(|pair| pair[0].starts_with("#[tokio::test") || pair[0] == "#[test]");
        let named = tests.filter_map(|pair| pair[1].split("fn rule_").nth(1)?.split('_').next()?.parse::<u32>().ok());
        numbers.extend(named);
    }
    let missing: Vec<u32> = (1..=41).filter(|number| !numbers.contains(number)).collect();
    assert!(missing.is_empty() && numbers.last() == Some(&41), "rules without a test: {missing:?}");
}

/// A knob that no row sets is dead, and one that two functions read has two meanings.
#[test]
fn every_knob_is_set_by_a_row_and_read_in_one_function() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let table = fs::read_to_string(source.join("profile/mod.rs")).unwrap();
    let knobs: Vec<String> =
        ["Profile", "Uploads"].iter().flat_map(|name| fields(&table, name)).filter(|knob| knob != "uploads").collect();
    assert!(knobs.len() > 15, "{knobs:?}");
    let rows: Vec<String> = sources(&source.join("profile/rows"))
        .iter()
        .filter(|path| !path.ends_with("generic.rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let mut readers: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for path in sources(&source) {
        let text = fs::read_to_string(&path).unwrap();
        let mut function = String::new();
        for line in text.lines().take_while(|line| *line != "#[cfg(test)]") {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let Some(at) = words.iter().position(|word| *word == "fn") {
                words[at + 1].split(['(', '<']).next().unwrap().clone_into(&mut function);
            }
            for knob in &knobs {
                if holders(&path).iter().any(|holder| reads(line, &format!("{holder}.{knob}"))) {
                    readers.entry(knob).or_default().insert(format!("{}: {function}", path.display()));
                }
            }
        }
    }
    for knob in &knobs {
        let set = rows.iter().any(|row| row.contains(&format!("{knob}: ")));
        assert!(set, "no row sets {knob}");
        let count = readers.get(knob.as_str()).map_or(0, BTreeSet::len);
        // What names and evidence say is for people too: `regpass check` and the pages.
        assert!(count == 1 || is_a_name(knob), "{knob} is read in {:?}", readers.get(knob.as_str()));
    }
}

/// What a registry is, as opposed to how it behaves.
fn is_a_name(knob: &str) -> bool {
    ["name", "hosts", "families", "api_host", "evidence"].contains(&knob)
}

/// How code holds a row.
fn holders(path: &Path) -> &'static [&'static str] {
    let is_table = path.parent().is_some_and(|folder| folder.ends_with("profile"));
    if is_table { &["row", "self"] } else { &["profile()", "profile", "row", "uploads"] }
}

/// `text` as a whole word's end: `profile.delete`, not `profile.deletes`.
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

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let own = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    own.chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}
