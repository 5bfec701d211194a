//! `docs/seed.md` names the tests of each of its rows. These tests compare it with the sources.

mod registries;

use std::collections::BTreeSet;
use std::fs;

use crate::source_files::{crate_folder, rust_files};
use crate::test_names::test_names;

/// The modules whose tests `docs/seed.md` has to name without exception.
const COMPLETE_MODULES: [&str; 2] = ["docker_hub", "ghcr"];

#[test]
fn the_seed_page_names_existing_tests_and_every_test_of_its_registries() {
    let named: BTreeSet<String> = rows().into_iter().flat_map(|row| row.tests).collect();
    let existing = existing_tests();
    let unknown: Vec<_> = named.difference(&existing).collect();
    assert!(unknown.is_empty(), "docs/seed.md names tests that do not exist: {unknown:#?}");
    let has_to_be_named =
        |test: &&String| COMPLETE_MODULES.iter().any(|module| test.starts_with(&format!("{module}::")));
    let missing: Vec<_> = existing.difference(&named).filter(has_to_be_named).collect();
    assert!(missing.is_empty(), "docs/seed.md does not name these tests: {missing:#?}");
}

#[test]
fn the_rows_of_the_seed_page_are_complete_and_numbered() {
    let rows = rows();
    assert!(rows.len() > 40, "{} rows", rows.len());
    let mut last: Option<(String, usize)> = None;
    for Row { number, cells, tests } in rows {
        let (letter, count) = number.split_at(1);
        let count: usize = count.parse().unwrap_or_else(|_| panic!("{number} is not a row number"));
        let expected = last.filter(|(before, _)| before == letter).map_or(1, |(_, count)| count + 1);
        assert_eq!(count, expected, "rows are numbered from 1 without gaps: {number}");
        assert!(cells == 4 && !tests.is_empty(), "row {number} needs four cells, with a test in the last");
        last = Some((letter.to_owned(), count));
    }
}

struct Row {
    number: String,
    cells: usize,
    tests: Vec<String>,
}

/// The table rows of `docs/seed.md` whose first cell starts with D or G, as `D12` does.
fn rows() -> Vec<Row> {
    let page = fs::read_to_string(crate_folder("docs/seed.md")).unwrap();
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split(" | ").map(str::trim).collect();
        let number = cells.first().filter(|cell| cell.starts_with(['D', 'G']))?;
        let tests = cells.last()?.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect();
        Some(Row { number: (*number).to_owned(), cells: cells.len(), tests })
    });
    rows.collect()
}

/// Every test of this binary, by its path: `ghcr::pull::manifest_with_matching_etag_is_304`.
fn existing_tests() -> BTreeSet<String> {
    let root = crate_folder("tests/it");
    let mut tests = BTreeSet::new();
    for path in rust_files(&root) {
        let module = path.strip_prefix(&root).unwrap().with_extension("");
        let mut parts: Vec<&str> = module.iter().map(|part| part.to_str().unwrap()).collect();
        parts.pop_if(|part| *part == "mod");
        let names = test_names(&fs::read_to_string(&path).unwrap());
        tests.extend(names.iter().map(|name| format!("{}::{name}", parts.join("::"))));
    }
    tests
}
