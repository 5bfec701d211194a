//! Checks the pages about the code: every file that they name exists, and `ARCHITECTURE.md` lists every floor and stays
//! short.

use std::fs;
use std::path::Path;

use crate::FLOORS;
use crate::source_files::crate_folder;

#[test]
fn the_architecture_page_lists_every_floor_and_reads_in_ten_minutes() {
    let page = read("ARCHITECTURE.md");
    let rows: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|row| row.split(" |").next()).collect();
    for module in FLOORS.iter().copied().flatten() {
        let is_listed = rows.iter().any(|row| row.split(['`', ',', ' ']).any(|word| word == *module));
        assert!(is_listed, "ARCHITECTURE.md has no row of the floor {module}");
    }
    let words = page.split_whitespace().count();
    assert!(words <= 1800, "ARCHITECTURE.md has {words} words, more than 1800; details belong beside the code");
}

/// Readers of these pages do not know the code yet, so they cannot guess which file a wrong path means.
#[test]
fn every_file_that_a_page_names_exists() {
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md", "tests/README.md"] {
        let named = file_names(&read(page));
        assert!(named.len() > 8, "{page} names {} files", named.len());
        for name in named {
            assert!(exists(&name, page), "{page} names `{name}`, which does not exist");
        }
    }
}

/// The relative paths in backquotes on a page: words with a slash or a file extension. Words with `NAME` or `…`, which the
/// reader replaces, words with other characters of commands or code, and files that a run of the tests writes are left out.
fn file_names(page: &str) -> Vec<String> {
    let quoted = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let paths = quoted.filter(|word| {
        let is_path = !word.contains([' ', '<', '{', '*', '…', ':', '$', '"', '='])
            && !word.starts_with(['/', '.', '-'])
            && !word.starts_with("target/");
        let is_file = [".rs", ".md", ".toml", ".yaml"].iter().any(|ending| word.ends_with(ending));
        is_path && !word.contains("NAME") && (is_file || word.contains('/'))
    });
    paths.map(ToOwned::to_owned).collect()
}

/// Whether a path exists relative to the crate's root, to `src`, or to the page's own folder.
fn exists(name: &str, page: &str) -> bool {
    let page_folder = Path::new(page).parent().and_then(Path::to_str).unwrap_or_default();
    ["", "src", page_folder].iter().any(|base| crate_folder(base).join(name).exists())
}

fn read(page: &str) -> String {
    fs::read_to_string(crate_folder(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}
