//! `docs/registries.md`, which is held to what was measured.

use std::fs;
use std::path::Path;

const PAGE: &str = "docs/registries.md";
/// Makes the tests write the page instead of failing on it.
const WRITE: &str = "REGPASS_WRITE_DOCS";

/// Prints what was measured, and fails unless the page says the same between the marks of `part`.
#[expect(clippy::print_stdout, reason = "the table is to be read in the test's output")]
pub fn hold(part: &str, measured: &str, failures: &[&String]) {
    println!("{measured}");
    let failures: Vec<&str> = failures.iter().map(|failure| failure.as_str()).collect();
    assert!(failures.is_empty(), "{} cells fail:\n{}", failures.len(), failures.join("\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let (from, to) = (format!("<!-- {part}: written by a test -->\n"), format!("<!-- {part}: end -->"));
    let page = fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once(&from).unwrap_or_else(|| panic!("{PAGE} lacks the line {from}"));
    let (told, tail) = rest.split_once(&to).unwrap_or_else(|| panic!("{PAGE} lacks {to}"));
    if told == measured {
        return;
    }
    if std::env::var_os(WRITE).is_some_and(|value| value == "1") {
        fs::write(&path, [head, &from, measured, &to, tail].concat()).unwrap();
        return;
    }
    let differing = measured.lines().filter(|line| !told.lines().any(|other| other == *line));
    let differing: Vec<&str> = differing.collect();
    panic!(
        "{PAGE} tells something else; with {WRITE}=1 this test writes what it measured into it. New lines:\n{}",
        differing.join("\n")
    );
}
