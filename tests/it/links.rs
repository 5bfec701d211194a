//! Checks the relative links in the Markdown pages of the crate's root and of `docs`.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_relative_link_has_an_existing_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages: Vec<PathBuf> = [root.to_owned(), root.join("docs")].iter().flat_map(|folder| pages(folder)).collect();
    assert!(pages.len() >= 4, "{pages:?}");
    let mut broken = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        for link in links(&text).into_iter().filter(|link| is_relative(link)) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let has_anchor = || anchors(&fs::read_to_string(&target).unwrap()).iter().any(|known| known == anchor);
            if !target.exists() || !(anchor.is_empty() || has_anchor()) {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links to files or headings that do not exist:\n{}", broken.join("\n"));
}

#[test]
fn links_and_anchors_are_parsed() {
    let text =
        "see [a](b.md#c) and [`d`](<e f.md>)\n```sh\nno [x](y)\n```\n[g]: h.md \"title\"\n## What's *it* `called`?\n";
    assert_eq!(links(text), ["b.md#c", "e f.md", "h.md"]);
    assert_eq!(anchors(text), ["whats-it-called"]);
    assert!(is_relative("#c") && is_relative("../b.md") && !is_relative("https://b") && !is_relative("mailto:b@c"));
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The lines outside fenced code blocks.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    })
}

/// The targets of `[text](target)` and of `[name]: target`.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    for line in lines(text) {
        if let Some((_, target)) = line.split_once("]: ").filter(|_| line.starts_with('[')) {
            links.extend(target.split_whitespace().next());
        }
        links.extend(line.split("](").skip(1).filter_map(|rest| match rest.strip_prefix('<') {
            Some(rest) => rest.split('>').next(),
            None => rest.split([')', ' ']).next(),
        }));
    }
    links
}

/// Whether a link has no scheme such as `https:`.
fn is_relative(link: &str) -> bool {
    let scheme = link.split_once(':').map_or("", |(scheme, _)| scheme);
    scheme.is_empty() || scheme.contains(['/', '#', '.'])
}

/// The anchors of the headings: lower case, hyphens for spaces, without punctuation.
fn anchors(text: &str) -> Vec<String> {
    let headings = lines(text).filter(|line| line.starts_with('#'));
    let headings = headings.map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let is_part_of_anchor = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings.map(|heading| heading.chars().filter(is_part_of_anchor).collect::<String>().replace(' ', "-")).collect()
}
