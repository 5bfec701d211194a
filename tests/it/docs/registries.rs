//! `docs/registries.md` has a section for each profile. These tests compare its sections with the profiles, and check the
//! configurations in it.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::process::ExitCode;

use regpass::cli::{Next, run};
use regpass::config::Variables;
use regpass::profile::{self, Fingerprint, Profile};

use crate::source_files::crate_folder;

/// A heading and the text below it.
struct Section {
    name: String,
    text: String,
}

#[test]
fn every_profile_has_a_complete_section_in_alphabetical_order() {
    let mut profiles: Vec<&str> = profile::ALL.iter().map(|row| row.name).collect();
    profiles.sort_unstable();
    let sections = sections();
    let headings: Vec<&str> = sections.iter().map(|section| section.name.as_str()).collect();
    let profile_headings: Vec<&str> = headings.iter().copied().filter(|name| profiles.contains(name)).collect();
    assert_eq!(profile_headings, profiles);
    for section in sections.iter().filter(|section| profiles.contains(&section.name.as_str())) {
        for part in ["**Found**", "**Limits.**", "```toml"] {
            assert!(section.text.contains(part), "the section {} lacks {part}", section.name);
        }
    }
}

#[test]
fn every_section_names_what_detects_its_profile() {
    for (row, section) in profiles_with_sections() {
        // Joins the lines, as a line may break anywhere.
        let section = section.split_whitespace().collect::<Vec<_>>().join(" ");
        let assert_named =
            |word: &str| assert!(section.contains(&format!("`{word}`")), "{} does not name {word}", row.name);
        let hosts = [row.hosts, row.host_patterns, row.realm_hosts, row.storage_hosts, row.credential_keys];
        hosts.iter().flat_map(|hosts| hosts.iter()).copied().for_each(assert_named);
        for fingerprint in row.fingerprints {
            match *fingerprint {
                Fingerprint::Service(word)
                | Fingerprint::RealmPath(word)
                | Fingerprint::BasicRealm(word)
                | Fingerprint::Header(word)
                | Fingerprint::Scope(word) => assert_named(word),
                Fingerprint::EmptyScope => assert_named("scope=\"\""),
                Fingerprint::ServiceAndScope(service, scope) => [service, scope].into_iter().for_each(assert_named),
            }
        }
    }
}

#[test]
fn every_section_has_the_profiles_evidence_and_every_fact_a_date_and_a_source() {
    for (row, section) in profiles_with_sections() {
        let facts = facts(&section);
        for fact in &facts {
            let [observed, date, source, through] = fact.as_slice() else { panic!("{}: {fact:?}", row.name) };
            assert!(!observed.is_empty() && !source.is_empty() && !through.is_empty(), "{}: {fact:?}", row.name);
            assert!(date.starts_with("20") && date.len() >= 4, "{}: {fact:?}", row.name);
        }
        for evidence in row.evidence {
            let is_listed = facts.iter().any(|fact| fact[1] == evidence.date && fact[2] == evidence.source);
            assert!(is_listed, "the section {} lacks {evidence:?}", row.name);
        }
    }
}

#[test]
fn every_configuration_on_the_page_passes_check_and_has_its_sections_profile() {
    for section in sections() {
        for block in blocks(&section.text) {
            let (code, printed, problems) = check(&block);
            assert_eq!(code, ExitCode::SUCCESS, "{}: {problems}\n{block}", section.name);
            let own_profile = profile::by_name(&section.name).map(|row| format!("profile = \"{}\"", row.name));
            // A registry that only its challenge identifies may be configured without a profile.
            let has_other_profile =
                |line: &&str| line.starts_with("profile = ") && own_profile.as_deref().is_some_and(|own| own != *line);
            let other_profiles: Vec<&str> = printed.lines().filter(has_other_profile).collect();
            assert!(other_profiles.is_empty(), "{}: {other_profiles:?}\n{block}", section.name);
        }
    }
}

/// The profiles with the texts of their sections.
fn profiles_with_sections() -> Vec<(&'static Profile, String)> {
    let sections = sections();
    let text = |row: &Profile| sections.iter().find(|section| section.name == row.name).map(|found| found.text.clone());
    profile::ALL.iter().map(|row| (row, text(row).unwrap_or_default())).collect()
}

fn sections() -> Vec<Section> {
    let page = fs::read_to_string(crate_folder("docs/registries.md")).unwrap();
    let split = page.split("\n## ").skip(1).filter_map(|section| section.split_once('\n'));
    split.map(|(name, text)| Section { name: name.trim().to_owned(), text: text.to_owned() }).collect()
}

/// The cells of each row in a section's table of observed facts, without the table's head.
fn facts(section: &str) -> Vec<Vec<&str>> {
    let rows = section.lines().skip_while(|line| !line.starts_with("| observed |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// The contents of the TOML code blocks in a Markdown text.
fn blocks(text: &str) -> Vec<String> {
    text.split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```").map(|(block, _)| block.to_owned()))
        .collect()
}

/// Runs `regpass check` on a configuration. Returns its exit code, its output, and its error output.
fn check(text: &str) -> (ExitCode, String, String) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let args = ["regpass".into(), "check".into(), "--config".into(), file.path().as_os_str().to_owned()];
    // Every environment variable is set, as it may be named for a secret, except those of regpass itself and of proxies.
    let is_secret = |name: &str| !name.starts_with("REGPASS_") && !name.to_ascii_uppercase().ends_with("_PROXY");
    let variables = |name: &str| is_secret(name).then(|| OsString::from("a secret"));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let Next::Exit(code) = run(args, Variables::new(&variables), &mut out, &mut err) else {
        panic!("`check` does not exit");
    };
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}
