//! `docs/seed.md` names the test behind each of its rows: here they are held to each other.

mod registries;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders whose every test stands in the page.
const TOLD: [&str; 2] = ["docker_hub", "ghcr"];

#[test]
fn every_test_the_seed_page_names_exists_and_every_test_of_the_registries_is_named() {
    let named: BTreeSet<String> = rows().into_iter().flat_map(|row| row.tests).collect();
    let written = written();
    let unwritten: Vec<_> = named.difference(&written).collect();
    assert!(unwritten.is_empty(), "docs/seed.md names tests that do not exist: {unwritten:#?}");
    let told = |test: &&String| TOLD.iter().any(|module| test.starts_with(&format!("{module}::")));
    let unnamed: Vec<_> = written.difference(&named).filter(told).collect();
    assert!(unnamed.is_empty(), "docs/seed.md leaves out: {unnamed:#?}");
}

#[test]
fn the_rows_of_the_seed_page_are_whole_and_numbered() {
    let rows = rows();
    assert!(rows.len() > 40, "{} rows", rows.len());
    let mut last: Option<(String, usize)> = None;
    for Row { number, cells, tests } in rows {
        let (letter, count) = number.split_at(1);
        let count: usize = count.parse().unwrap_or_else(|_| panic!("{number} is no row number"));
        let expected = last.filter(|(before, _)| before == letter).map_or(1, |(_, count)| count + 1);
        assert_eq!(count, expected, "rows are counted from 1 without gaps: {number}");
        assert!(cells == 4 && !tests.is_empty(), "{number} has four cells, and a test in the last");
        last = Some((letter.to_owned(), count));
    }
}

struct Row {
    number: String,
    cells: usize,
    tests: Vec<String>,
}

/// The table rows whose first cell is a number like D12.
fn rows() -> Vec<Row> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/seed.md")).unwrap();
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split(" | ").map(str::trim).collect();
        let number = cells.first().filter(|cell| cell.starts_with(['D', 'G']))?;
        let tests = cells.last()?.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect();
        Some(Row { number: (*number).to_owned(), cells: cells.len(), tests })
    });
    rows.collect()
}

/// Every test of this binary, by its path: `docker_hub::names::every_name_of_it_works_as_virtual_host`.
fn written() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut tests = BTreeSet::new();
    for path in sources(&root) {
        let module = path.strip_prefix(&root).unwrap().with_extension("");
        let mut parts: Vec<&str> = module.iter().map(|part| part.to_str().unwrap()).collect();
        parts.pop_if(|part| *part == "mod");
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let functions = lines.windows(2).filter(|pair| pair[0].starts_with("#[tokio::test") || pair[0] == "#[test]");
        tests.extend(functions.filter_map(|pair| {
            let name = pair[1].strip_prefix("async ").unwrap_or(pair[1]).strip_prefix("fn ")?.split('(').next()?;
            Some(format!("{}::{name}", parts.join("::")))
        }));
    }
    tests
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let own = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    own.chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}
