//! Checks `config/regpass.toml`: as it is, it sets nothing but defaults, and its examples cover every key.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::config::decode::table_keys::Keys;
use crate::config::decode::{
    TIMEOUTS, TOP, clients, credential, decode, identity, listener, registry, repositories, secret,
};
use crate::config::model::Config;
use crate::config::overrides::ParsedOverrides;
use crate::config::problem::Problem;
use crate::config::render;
use crate::config::variables::Variables;

const REFERENCE: &str = include_str!("../../../../config/regpass.toml");

fn load(text: &str) -> Result<Config, Vec<Problem>> {
    let read = |_: &str| Some(OsString::from("long enough for an upload key"));
    let file = Path::new("/etc/regpass/config.toml");
    let (config, problems) = decode(text, Some(file), &ParsedOverrides::default(), Variables::new(&read));
    config.filter(|_| problems.is_empty()).ok_or(problems)
}

/// The reference file with its commented examples enabled.
fn uncommented() -> String {
    let example = |line: &'static str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line);
    REFERENCE.lines().map(example).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_reference_file_gives_the_defaults() {
    let reference = load(REFERENCE).unwrap();
    let empty = load("").unwrap();
    assert_eq!(format!("{reference:#?}"), format!("{empty:#?}"));
}

#[test]
fn the_examples_of_the_reference_file_decode_and_cover_every_key() {
    let text = uncommented();
    let config = load(&text).unwrap();
    assert_eq!(config.listeners.len(), 4);

    let table = DeTable::parse(&text).unwrap();
    let mut written = BTreeSet::new();
    collect(&mut written, "", &DeValue::Table(table.into_inner()));
    for (path, keys) in TABLES {
        for (key, _) in *keys {
            assert!(written.contains(&format!("{path}{key}")), "{path}{key} is missing in config/regpass.toml");
        }
    }
    for source in credential::sources() {
        assert!(text.contains(&format!("source = \"{}\"", source.name)), "{}", source.name);
        for (key, _) in source.keys {
            assert!(written.contains(&format!("registry.*.credential.{key}")), "{} {key}", source.name);
        }
    }
}

#[test]
fn the_rendered_configuration_decodes_to_the_same_configuration() {
    let printed = render::render(&load(&uncommented()).unwrap());
    assert!(!printed.contains("\"text\""), "the literal password is redacted");
    assert_eq!(render::render(&load(&printed).unwrap()), printed);
}

#[test]
fn rendered_sizes_are_exact() {
    for (text, printed) in [("'64MiB'", "\"64.0 MiB\""), ("'1.5k'", "1500"), ("1536", "\"1.5 KiB\""), ("0", "\"0 B\"")]
    {
        let config = load(&format!("upload_spool = {text}")).unwrap();
        let line = format!("\nupload_spool = {printed}\n");
        assert!(render::render(&config).contains(&line), "{text}");
        assert_eq!(load(&line).unwrap().upload_spool, config.upload_spool, "{text}");
    }
}

/// Collects the key paths of a document: `*` stands for the host of a registry, and lists add nothing to a path.
fn collect(paths: &mut BTreeSet<String>, path: &str, value: &DeValue<'_>) {
    match value {
        DeValue::Table(table) => {
            for (key, value) in table {
                let key = if path == "registry." { "*" } else { key.get_ref() };
                paths.insert(format!("{path}{key}"));
                collect(paths, &format!("{path}{key}."), value.get_ref());
            }
        }
        DeValue::Array(items) => items.iter().for_each(|item| collect(paths, path, item.get_ref())),
        _ => {}
    }
}

/// Every table of the file with its keys, except the credential tables.
const TABLES: &[(&str, Keys)] = &[
    ("", TOP),
    ("upload_key.", secret::SECRET),
    ("timeouts.", TIMEOUTS),
    ("listener.", listener::LISTENER),
    ("listener.tls.", secret::CERTIFICATE_FILES),
    ("listener.clients.", clients::CLIENTS),
    ("admin.", listener::ADMIN),
    ("registry.*.", registry::REGISTRY),
    ("registry.*.repositories.", repositories::REPOSITORIES),
    ("registry.*.client_certificate.", secret::CERTIFICATE_FILES),
    ("registry.*.identity.", identity::IDENTITY),
    ("registry.*.credential.password.", &[secret::SECRET[0]]),
    ("registry.*.credential.token.", secret::SECRET),
];
