//! The names of the tests in a Rust file, for tests that compare them with documents.

/// The names of the tests in the text of a Rust file. The test attribute has to be directly above `fn`.
pub fn test_names(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let tests = lines.windows(2).filter(|pair| pair[0].starts_with("#[tokio::test") || pair[0] == "#[test]");
    let name = |pair: &[&str]| {
        let function = pair[1].strip_prefix("async ").unwrap_or(pair[1]).strip_prefix("fn ")?;
        function.split('(').next().map(ToOwned::to_owned)
    };
    tests.filter_map(name).collect()
}
