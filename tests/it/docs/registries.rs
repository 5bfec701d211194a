//! `docs/registries.md` has a section for each profile: here its sections are held to the rows and to the configuration.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use regpass::cli::{Next, run};
use regpass::config::Variables;
use regpass::profile::{self, Profile, Sign};

/// What stands below one heading.
struct Section {
    name: String,
    text: String,
}

#[test]
fn every_profile_has_its_section_in_the_alphabets_order() {
    let mut profiles: Vec<&str> = profile::ALL.iter().map(|row| row.name).collect();
    profiles.sort_unstable();
    let sections = sections();
    let named: Vec<&str> = sections.iter().map(|section| section.name.as_str()).collect();
    let of_profiles: Vec<&str> = named.iter().copied().filter(|name| profiles.contains(name)).collect();
    assert_eq!(of_profiles, profiles);
    for section in sections.iter().filter(|section| profiles.contains(&section.name.as_str())) {
        for part in ["**Found**", "**Limits.**", "```toml"] {
            assert!(section.text.contains(part), "{} says nothing of {part}", section.name);
        }
    }
}

#[test]
fn every_section_tells_by_what_its_registry_is_found() {
    for (row, section) in rows() {
        // Wherever its lines are broken.
        let section = section.split_whitespace().collect::<Vec<_>>().join(" ");
        let named = |word: &str| assert!(section.contains(&format!("`{word}`")), "{} does not name {word}", row.name);
        let hosts = [row.hosts, row.families, row.realm_hosts, row.credential_keys];
        hosts.iter().flat_map(|hosts| hosts.iter()).copied().for_each(named);
        for sign in row.signs {
            match *sign {
                Sign::Service(word)
                | Sign::RealmPath(word)
                | Sign::BasicRealm(word)
                | Sign::Header(word)
                | Sign::Scope(word) => named(word),
                Sign::EmptyScope => named("scope=\"\""),
                Sign::ServiceAndScope(service, scope) => [service, scope].into_iter().for_each(named),
            }
        }
    }
}

#[test]
fn every_section_has_the_evidence_of_its_row_and_a_date_and_a_source_for_all_it_says() {
    for (row, section) in rows() {
        let facts = facts(&section);
        for fact in &facts {
            let [what, when, source, through] = fact.as_slice() else { panic!("{}: {fact:?}", row.name) };
            assert!(!what.is_empty() && !source.is_empty() && !through.is_empty(), "{}: {fact:?}", row.name);
            assert!(when.starts_with("20") && when.len() >= 4, "{}: {fact:?}", row.name);
        }
        for evidence in row.evidence {
            let told = facts.iter().any(|fact| fact[1] == evidence.date && fact[2] == evidence.source);
            assert!(told, "{} leaves out {evidence:?}", row.name);
        }
    }
}

#[test]
fn every_configuration_of_the_page_is_one_of_its_section_and_passes_check() {
    for section in sections() {
        for block in blocks(&section.text) {
            let (code, printed, problems) = check(&block);
            assert_eq!(code, ExitCode::SUCCESS, "{}: {problems}\n{block}", section.name);
            let known = profile::by_name(&section.name).map(|row| format!("profile = \"{}\"", row.name));
            // A registry that is known by its challenge only is configured without a word about its profile.
            let as_told =
                |line: &&str| line.starts_with("profile = ") && known.as_deref().is_some_and(|own| own != *line);
            let stray: Vec<&str> = printed.lines().filter(as_told).collect();
            assert!(stray.is_empty(), "{}: {stray:?}\n{block}", section.name);
        }
    }
}

/// The rows with their sections.
fn rows() -> Vec<(&'static Profile, String)> {
    let sections = sections();
    let text = |row: &Profile| sections.iter().find(|section| section.name == row.name).map(|found| found.text.clone());
    profile::ALL.iter().map(|row| (row, text(row).unwrap_or_default())).collect()
}

fn sections() -> Vec<Section> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/registries.md")).unwrap();
    let split = page.split("\n## ").skip(1).filter_map(|section| section.split_once('\n'));
    split.map(|(name, text)| Section { name: name.trim().to_owned(), text: text.to_owned() }).collect()
}

/// The cells of the table of what was observed, less its head.
fn facts(section: &str) -> Vec<Vec<&str>> {
    let rows = section.lines().skip_while(|line| !line.starts_with("| observed |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// The blocks of TOML.
fn blocks(text: &str) -> Vec<String> {
    text.split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```").map(|(block, _)| block.to_owned()))
        .collect()
}

/// What `regpass check` says of a configuration: its code, and what it prints on either side.
fn check(text: &str) -> (ExitCode, String, String) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let args = ["regpass".into(), "check".into(), "--config".into(), file.path().as_os_str().to_owned()];
    // Whatever variable a secret is in, it is there; those of regpass itself and of proxies are not.
    let is_secret = |name: &str| !name.starts_with("REGPASS_") && !name.to_ascii_uppercase().ends_with("_PROXY");
    let variables = |name: &str| is_secret(name).then(|| OsString::from("a secret"));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let Next::Exit(code) = run(args, Variables::new(&variables), &mut out, &mut err) else {
        panic!("check does not serve");
    };
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}
