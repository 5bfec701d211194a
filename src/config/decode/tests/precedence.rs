//! Precedence of flags over the file.

use super::load_with;
use crate::config::overrides::{Overrides, ParsedOverrides};
use crate::config::variables::Variables;
use crate::oci::operation::Access;

fn parse(flags: &Overrides) -> ParsedOverrides {
    flags.parse(Variables::new(&|_| None)).0
}

#[test]
fn flags_beat_the_file_and_the_table_of_a_registry_beats_both() {
    let text = "allow = ['pull']\n[[listener]]\naddress = '127.0.0.1:1'\n[admin]\naddress = '127.0.0.1:2'\nhosts = ['r']\n\
        [registry.'a.io']\nallow = ['delete']\n[registry.'b.io']";
    let flags = Overrides {
        listen: vec!["0.0.0.0:9".to_owned(), "[::1]:9".to_owned()],
        admin: Some("127.0.0.1:8".to_owned()),
        registry: Some("a.io".to_owned()),
        allow: Some("push".to_owned()),
        insecure_open: true,
        ..Overrides::default()
    };
    let config = load_with(text, Some("r.toml"), &parse(&flags)).unwrap();
    let listeners: Vec<String> = config.listeners.iter().map(|listener| listener.address.to_string()).collect();
    assert_eq!(listeners, ["0.0.0.0:9", "[::1]:9"]);
    assert!(
        config.listeners.iter().all(|l| l.insecure_open && l.registry.as_ref().is_some_and(|r| r.as_str() == "a.io"))
    );
    let admin = config.admin.unwrap().listener;
    assert_eq!((&*admin.address.to_string(), admin.hosts.len(), admin.insecure_open), ("127.0.0.1:8", 1, true));
    let allows: Vec<Vec<Access>> = config.registries.iter().map(|r| r.allow.iter().copied().collect()).collect();
    assert_eq!(allows, [[Access::Delete], [Access::Push]]);
}

#[test]
fn problems_of_flags_are_reported() {
    let flags = Overrides {
        listen: vec!["0.0.0.0:9".to_owned(), "0.0.0.0:9".to_owned()],
        registry: Some("a.io".to_owned()),
        ..Overrides::default()
    };
    let problems = load_with("", None, &parse(&flags)).unwrap_err();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["--listen", "--listen", "--listen"], "{problems:#?}");
}

#[test]
fn a_registry_pinned_by_a_flag_needs_no_table() {
    let flags =
        Overrides { registry: Some("a.io".to_owned()), allow: Some("pull,push".to_owned()), ..Overrides::default() };
    let config = load_with("", None, &parse(&flags)).unwrap();
    assert_eq!(config.registries.iter().map(|r| r.pattern.to_string()).collect::<Vec<_>>(), ["a.io"]);
    assert_eq!(config.registries[0].allow.len(), 2, "it has the defaults, which the flags set");
    let config = load_with("[registry.'*.io']\nallow = ['delete']", None, &parse(&flags)).unwrap();
    assert_eq!(config.registries.iter().map(|r| r.pattern.to_string()).collect::<Vec<_>>(), ["*.io"]);
}

#[test]
fn the_admin_listener_exists_without_a_file_or_when_configured() {
    let admin = |text, file, flag: Option<&str>| {
        let flags = Overrides { admin: flag.map(str::to_owned), ..Overrides::default() };
        let admin = load_with(text, file, &parse(&flags)).unwrap().admin;
        admin.map(|admin| (admin.listener.address.to_string(), admin.listener.optional))
    };
    let at = |address: &str, optional| Some((address.to_owned(), optional));
    assert_eq!(admin("", None, None), at("127.0.0.1:5051", true));
    assert_eq!(admin("", Some("r.toml"), None), None);
    assert_eq!(admin("[admin]", Some("r.toml"), None), at("127.0.0.1:5051", false));
    assert_eq!(admin("", Some("r.toml"), Some("127.0.0.1:1")), at("127.0.0.1:1", false));
    assert_eq!(admin("", None, Some("127.0.0.1:1")), at("127.0.0.1:1", false));
}
