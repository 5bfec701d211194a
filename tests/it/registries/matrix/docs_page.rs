//! `docs/registries.md`, which has to show the results.

use std::fs;

use crate::source_files::crate_folder;

const PAGE: &str = "docs/registries.md";
/// The environment variable; with the value `1` the tests write the page instead of failing on a difference.
const WRITE: &str = "REGPASS_WRITE_DOCS";

/// Prints the results, and fails if there are failures or the page differs between the marks of `part`.
#[expect(clippy::print_stdout, reason = "the test's output shows the table")]
pub fn compare(part: &str, results: &str, failures: &[&String]) {
    println!("{results}");
    let failures: Vec<&str> = failures.iter().map(|failure| failure.as_str()).collect();
    assert!(failures.is_empty(), "{} checks fail:\n{}", failures.len(), failures.join("\n"));
    let path = crate_folder(PAGE);
    let (from, to) = (format!("<!-- {part}: written by a test -->\n"), format!("<!-- {part}: end -->"));
    let page = fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once(&from).unwrap_or_else(|| panic!("{PAGE} lacks the line {from}"));
    let (shown, tail) = rest.split_once(&to).unwrap_or_else(|| panic!("{PAGE} lacks {to}"));
    if shown == results {
        return;
    }
    if std::env::var_os(WRITE).is_some_and(|value| value == "1") {
        fs::write(&path, [head, &from, results, &to, tail].concat()).unwrap();
        return;
    }
    let differing = results.lines().filter(|line| !shown.lines().any(|other| other == *line));
    let differing: Vec<&str> = differing.collect();
    panic!("{PAGE} differs; with {WRITE}=1 this test writes its results into it. New lines:\n{}", differing.join("\n"));
}
