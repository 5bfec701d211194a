//! Keeps `config/regpass.toml` true: it changes nothing as it stands, and its examples are every key there is.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::config::decode::key::Keys;
use crate::config::decode::{TIMEOUTS, TOP, clients, credential, decode, identity, listener, registry};
use crate::config::model::Config;
use crate::config::overrides::Choices;
use crate::config::problem::Problem;
use crate::config::render;
use crate::config::variables::Variables;

const REFERENCE: &str = include_str!("../../../../config/regpass.toml");

fn load(text: &str) -> Result<Config, Vec<Problem>> {
    let read = |_: &str| Some(OsString::from("long enough for an upload key"));
    let file = Path::new("/etc/regpass/config.toml");
    let (config, problems) = decode(text, Some(file), &Choices::default(), Variables::new(&read));
    config.filter(|_| problems.is_empty()).ok_or(problems)
}

/// The reference with its examples taken at their word.
fn uncommented() -> String {
    let example = |line: &'static str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line);
    REFERENCE.lines().map(example).collect::<Vec<_>>().join("\n")
}

#[test]
fn as_it_stands_it_changes_nothing() {
    let reference = load(REFERENCE).unwrap();
    let empty = load("").unwrap();
    assert_eq!(format!("{reference:#?}"), format!("{empty:#?}"));
}

#[test]
fn its_examples_work_and_are_every_key() {
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
fn what_check_prints_of_it_loads_as_the_same() {
    let printed = render::render(&load(&uncommented()).unwrap());
    assert!(!printed.contains("\"text\""), "the literal password is redacted");
    assert_eq!(render::render(&load(&printed).unwrap()), printed);
}

#[test]
fn sizes_are_printed_to_the_byte() {
    for (text, printed) in [("'64MiB'", "\"64.0 MiB\""), ("'1.5k'", "1500"), ("1536", "\"1.5 KiB\""), ("0", "\"0 B\"")]
    {
        let config = load(&format!("upload_spool = {text}")).unwrap();
        let line = format!("\nupload_spool = {printed}\n");
        assert!(render::render(&config).contains(&line), "{text}");
        assert_eq!(load(&line).unwrap().upload_spool, config.upload_spool, "{text}");
    }
}

/// Key paths, with `*` for the hosts of registries and lists left out.
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

/// Every table with keys of its own, credentials aside.
const TABLES: &[(&str, Keys)] = &[
    ("", TOP),
    ("upload_key.", credential::SECRET),
    ("timeouts.", TIMEOUTS),
    ("listener.", listener::LISTENER),
    ("listener.tls.", clients::TLS),
    ("listener.clients.", clients::CLIENTS),
    ("admin.", listener::ADMIN),
    ("registry.*.", registry::REGISTRY),
    ("registry.*.repositories.", registry::REPOSITORIES),
    ("registry.*.client_certificate.", registry::CLIENT_CERTIFICATE),
    ("registry.*.identity.", identity::IDENTITY),
    ("registry.*.credential.password.", &[credential::SECRET[0]]),
    ("registry.*.credential.token.", credential::SECRET),
];
