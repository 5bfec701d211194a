use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::decode;
use crate::base::host::RegistryHost;
use crate::config::environment::Environment;
use crate::config::model::{Config, CredentialSource, SecretSource, ValueOrigin};
use crate::config::overrides::{Choices, Overrides};
use crate::config::problem::{Problem, Problems};
use crate::config::render;
use crate::oci::operation::Access;

fn load_with(text: &str, file: Option<&str>, choices: &Choices) -> Result<Config, Vec<Problem>> {
    let read = |name: &str| match name {
        "SET" => Some(OsString::from("hunter2")),
        "EMPTY" => Some(OsString::new()),
        _ => None,
    };
    decode(text, file.map(Path::new), choices, Environment::new(&read))
}

fn load(text: &str) -> Result<Config, Vec<Problem>> {
    load_with(text, Some("/etc/regpass/config.toml"), &Choices::default())
}

fn choices(flags: &Overrides) -> Choices {
    flags.choices(Environment::new(&|_| None)).0
}

/// The file, the one key at fault, its line, and a part of the message or hint.
fn each_is_refused(table: &[(&str, &str, usize, &str)]) {
    for (text, key, line, part) in table {
        let problems = load(text).expect_err(text);
        let [problem] = problems.as_slice() else { panic!("{text}\n{problems:#?}") };
        assert_eq!((problem.key.as_str(), problem.line), (*key, Some(*line)), "{text}\n{problem}");
        assert!(problem.to_string().contains(part), "{text}\n{problem}");
        assert!(!problem.hint.is_empty(), "{text}\n{problem}");
    }
}

#[test]
fn an_empty_file_is_fine() {
    let config = load("").unwrap();
    let listeners: Vec<_> = config.listeners.iter().map(|l| (l.address.to_string(), l.optional)).collect();
    assert_eq!(listeners, [("127.0.0.1:5050".to_owned(), false), ("[::1]:5050".to_owned(), true)]);
    assert!(config.admin.is_none() && config.registries.is_empty());
    assert_eq!(config.default_registry.as_str(), "docker.io");
    assert_eq!(config.defaults.allow.iter().copied().collect::<Vec<_>>(), [Access::Pull]);
    assert_eq!(config.defaults.credential, CredentialSource::Anonymous);
}

#[test]
fn the_design_example_loads() {
    let config = load(
        r#"
        default_registry = "ghcr.io"
        credential = { source = "docker" }
        [timeouts]
        connect = "2s"
        [[listener]]
        address = "localhost:5050"
        registry = "index.docker.io"
        hosts = ["Regpass"]
        [admin]
        [registry."*"]
        [registry."*.corp.example"]
        [registry."*.eu.corp.example"]
        [registry."ghcr.io"]
        url = "https://ghcr.io"
        alias = "gh"
        allow = ["pull", "push"]
        repositories = { push = ["acme/*"] }
        hosts = ["ghcr.corp.example"]
        credential = { source = "password", username = "u", password = { env = "SET" } }
        redirects = "pass"
        realm_hosts = ["token.example.com:8443"]
        ca = "ca.pem"
        client_certificate = { certificate = "/c.pem", key = "/k.pem" }
        [[registry."ghcr.io".identity]]
        repositories = ["acme/**"]
        credential = { source = "helper", name = "pass" }
        "#,
    )
    .unwrap();
    assert_eq!(config.timeouts.connect, Duration::from_secs(2));
    assert_eq!(config.timeouts.token, Duration::from_secs(10));
    let patterns: Vec<String> = config.registries.iter().map(|registry| registry.pattern.to_string()).collect();
    assert_eq!(patterns, ["ghcr.io", "*.eu.corp.example", "*.corp.example", "*"]);
    let listener = &config.listeners[0];
    assert_eq!(listener.registry.as_ref().map(RegistryHost::as_str), Some("docker.io"));
    assert!(listener.hosts.contains("regpass") && !listener.optional && config.listeners[1].optional);
    assert_eq!(config.admin.unwrap().listener.address.to_string(), "127.0.0.1:5051");
    let ghcr = &config.registries[0];
    assert_eq!(ghcr.repositories.0.keys().copied().collect::<Vec<_>>(), [Access::Push]);
    assert_eq!(ghcr.ca.as_deref(), Some(Path::new("/etc/regpass/ca.pem")), "relative to the file");
    assert!(
        matches!(&ghcr.credential, CredentialSource::Password { password: SecretSource::Value { secret, origin: ValueOrigin::Variable(name) }, .. }
        if secret.expose() == "hunter2" && &**name == "SET")
    );
    assert_eq!(config.registries[1].credential, CredentialSource::Docker { file: None }, "the default credential");
    assert_eq!(config.registries[1].allow, config.defaults.allow);
}

#[test]
fn a_missing_secret_file_is_no_configuration_error() {
    assert!(load("credential = { source = 'bearer', token = { file = '/nowhere' } }").is_ok());
}

#[test]
fn aliases_of_a_registry_configure_it() {
    let config = load("[registry.'index.docker.io']\nallow = []").unwrap();
    assert_eq!(config.registries[0].pattern.to_string(), "docker.io");
}

#[test]
fn keys_and_types_are_checked() {
    each_is_refused(&[
        ("alow = ['pull']", "alow", 1, "did you mean allow?"),
        ("upload_key = []", "upload_key", 1, "the keys here are default_registry, "),
        ("\n[[listener]]\naddress = '127.0.0.1:1'\ntls = {}", "listener[0].tls", 4, "there is no such key"),
        ("[admin]\nhost = []", "admin.host", 2, "did you mean hosts?"),
        ("[registry.'a.io']\nupload_hosts = []", "registry.\"a.io\".upload_hosts", 2, "no such key"),
        ("[registry.ghcr.io]\nallow = []", "registry.ghcr", 1, "[registry.\"ghcr.io\"]"),
        ("allow = 'pull'", "allow", 1, "it is text, not a list in brackets\n  write allow = [\"pull\"]"),
        ("allow = [1]", "allow[0]", 1, "it is a number, not text in quotes"),
        ("default_registry = true", "default_registry", 1, "it is true or false, not text"),
        ("[timeouts]\nconnect = 5", "timeouts.connect", 2, "write connect = \"5s\""),
        ("admin = '127.0.0.1:5051'", "admin", 1, "write admin = { address = "),
        ("[listener]\naddress = '127.0.0.1:1'", "listener", 1, "[[listener]]"),
        ("[admin]\ninsecure_open = 'yes'", "admin.insecure_open", 2, "not true or false"),
        ("[registry.'a.io'.identity]\n", "registry.\"a.io\".identity", 1, "[[registry.\"a.io\".identity]]"),
        ("registry = 1979-05-27", "registry", 1, "it is a date, not a table"),
    ]);
}

#[test]
fn values_are_checked() {
    each_is_refused(&[
        ("allow = ['pull', 'write']", "allow[1]", 1, "none of pull, push and delete"),
        ("default_registry = 'https://ghcr.io'", "default_registry", 1, "without scheme"),
        ("default_registry = 'a.io'", "default_registry", 1, "[registry.\"a.io\"]"),
        ("[timeouts]\ntoken = '0s'", "timeouts.token", 2, "zero"),
        ("[timeouts]\nbody_idle = '1h'", "timeouts.body_idle", 2, "longer than ten minutes"),
        ("[timeouts]\nresponse_head = 'soon'", "timeouts.response_head", 2, "write response_head = \"30s\""),
        ("[[listener]]\nregistry = 'ghcr.io'", "listener[0]", 1, "add address = "),
        ("[[listener]]\naddress = '5050'", "listener[0].address", 2, "\"127.0.0.1:5050\""),
        ("[[listener]]\naddress = 'unix:/x'", "listener[0].address", 2, "no unix sockets"),
        (
            "[[listener]]\naddress = '0.0.0.0:1'",
            "listener[0].address",
            2,
            "insecure_open = true beside the address, or the flag --insecure-open",
        ),
        ("[admin]\naddress = '[::]:1'", "admin.address", 2, "--insecure-open"),
        (
            "[[listener]]\naddress = '127.0.0.1:1'\nregistry = 'a.io'",
            "listener[0].registry",
            3,
            "neither well-known nor configured",
        ),
        ("[[listener]]\naddress = '127.0.0.1:1'\nhosts = ['a:1']", "listener[0].hosts[0]", 3, "it has a port"),
        ("[registry.'a.io']\nurl = 'https://a.io/v2/'", "registry.\"a.io\".url", 2, "more than scheme"),
        ("[registry.'a.io']\nurl = 'https://u:hunter2@a.io'", "registry.\"a.io\".url", 2, "user information"),
        ("[registry.'a.io']\nurl = 'a.io'", "registry.\"a.io\".url", 2, "write url = \"http"),
        ("[registry.'a.io']\nalias = 'a.b'", "registry.\"a.io\".alias", 2, "one word"),
        ("[registry.'a.io']\nalias = 'v2'", "registry.\"a.io\".alias", 2, "choose another"),
        ("[registry.'a.io']\nprofile = 'hub'", "registry.\"a.io\".profile", 2, "docker-hub, ghcr, generic"),
        ("[registry.'a.io']\nredirects = 'no'", "registry.\"a.io\".redirects", 2, "neither follow nor pass"),
        ("[registry.'a.io']\nrealm_hosts = ['https://t.io']", "registry.\"a.io\".realm_hosts[0]", 2, "without scheme"),
        ("[registry.'a.io']\nhosts = ['https://t.io']", "registry.\"a.io\".hosts[0]", 2, "it has a port"),
        ("[registry.'a.io']\nrepositories = ['A/**']", "registry.\"a.io\".repositories[0]", 2, "no repository pattern"),
        (
            "[registry.'a.io']\nrepositories = { pul = [] }",
            "registry.\"a.io\".repositories.pul",
            2,
            "did you mean pull?",
        ),
        (
            "[registry.'docker.io']\nrepositories = ['python']",
            "registry.\"docker.io\".repositories[0]",
            2,
            "\"library/python\"",
        ),
        ("[registry.'a.io']\nca = '~/ca.pem'", "registry.\"a.io\".ca", 2, "only a shell understands"),
        (
            "[registry.'a.io']\nclient_certificate = { key = 'k' }",
            "registry.\"a.io\".client_certificate",
            2,
            "certificate is missing",
        ),
        (
            "[[registry.'a.io'.identity]]\nrepositories = ['a/**']",
            "registry.\"a.io\".identity[0]",
            1,
            "credential is missing",
        ),
        ("[registry.'u:p@a.io']", "registry", 1, "not a host name"),
        ("[registry.'*.a.io']\nurl = 'https://a.io'", "registry.\"*.a.io\".url", 2, "many registries"),
        ("[registry.'*']\nalias = 'a'", "registry.\"*\".alias", 2, "many registries"),
        ("[registry.'*']\nhosts = ['a']", "registry.\"*\".hosts", 2, "many registries"),
    ]);
}

#[test]
fn credentials_are_checked() {
    each_is_refused(&[
        ("credential = 'docker'", "credential", 1, "write { source = \"docker\" }"),
        ("credential = {}", "credential", 1, "anonymous, password, identity, bearer, docker, helper"),
        ("credential = { source = 'ecr' }", "credential.source", 1, "sources are anonymous"),
        ("credential = { source = 'pasword' }", "credential.source", 1, "did you mean password?"),
        ("credential = { source = 'docker', path = 'x' }", "credential.path", 1, "source, file"),
        ("credential = { source = 'password', username = 'u' }", "credential", 1, "add password = { env = "),
        ("credential = { source = 'bearer', token = '' }", "credential.token", 1, "it is empty"),
        ("credential = { source = 'bearer', token = 5 }", "credential.token", 1, "write token = { env = "),
        ("credential = { source = 'bearer', token = {} }", "credential.token", 1, "neither env nor file"),
        (
            "credential = { source = 'bearer', token = { env = 'SET', file = 'x' } }",
            "credential.token",
            1,
            "both env and file",
        ),
        (
            "credential = { source = 'bearer', token = { env = 'UNSET' } }",
            "credential.token.env",
            1,
            "variable UNSET is unset or empty",
        ),
        (
            "credential = { source = 'bearer', token = { env = 'EMPTY' } }",
            "credential.token.env",
            1,
            "variable EMPTY is unset or empty",
        ),
        (
            "credential = { source = 'bearer', token = { env = 'hunter-2' } }",
            "credential.token.env",
            1,
            "no name of an environment variable",
        ),
        ("credential = { source = 'helper', name = '../sh' }", "credential.name", 1, "docker-credential-"),
        ("credential = { source = 'helper', name = 'pass', timeout = '0s' }", "credential.timeout", 1, "zero"),
        (
            "[registry.'*']\ncredential = { source = 'bearer', token = 'x' }",
            "registry.\"*\".credential",
            2,
            "any host that a client names",
        ),
        (
            "credential = { source = 'bearer', token = 'x' }\n[registry.'*']",
            "registry.\"*\"",
            2,
            "any host that a client names",
        ),
    ]);
}

#[test]
fn conflicts_are_named() {
    each_is_refused(&[
        (
            "[registry.'docker.io']\n[registry.'index.docker.io']",
            "registry.\"index.docker.io\"",
            2,
            "registry.\"docker.io\" means the same registry",
        ),
        ("[registry.'A.io']\n[registry.'a.io:443']", "registry.\"a.io:443\"", 2, "means the same registry, a.io"),
        (
            "[registry.'a.io']\nalias = 'a'\n[registry.'b.io']\nalias = 'a'",
            "registry.\"b.io\".alias",
            4,
            "registry.\"a.io\" has the alias",
        ),
        (
            "[registry.'a.io']\nhosts = ['r']\n[registry.'b.io']\nhosts = ['R']",
            "registry.\"b.io\".hosts[0]",
            4,
            "registry.\"a.io\" has the name r",
        ),
        (
            "[[listener]]\naddress = '127.0.0.1:1'\nhosts = ['r']\n[registry.'a.io']\nhosts = ['r']",
            "listener[0].hosts[0]",
            3,
            "means the registry a.io",
        ),
        (
            "[[listener]]\naddress = '127.0.0.1:1'\n[[listener]]\naddress = 'localhost:1'",
            "listener[1].address",
            4,
            "127.0.0.1:1 is listened on twice",
        ),
        (
            "[[registry.'a.io'.identity]]\nrepositories = ['a', 'a']\ncredential = { source = 'docker' }",
            "registry.\"a.io\".identity[0].repositories",
            2,
            "a stands twice",
        ),
        ("allow = []\nallow = []", "", 2, "duplicate key"),
    ]);
    assert!(load("[[listener]]\naddress = '127.0.0.1:0'\n[[listener]]\naddress = '127.0.0.1:0'").is_ok());
}

#[test]
fn broken_syntax_does_not_hide_the_rest() {
    let text = "allow = pull\n\n[timeouts]\nconnect = hunter2\ntoken = '0s'\nbody_idle =\nhunter2 = 1\n[admin\n";
    let problems = Problems::new(load(text).unwrap_err());
    let seen: Vec<(usize, &str)> = problems.0.iter().filter_map(|p| Some((p.line?, p.key.as_str()))).collect();
    assert_eq!(seen, [(1, ""), (4, ""), (5, "timeouts.token"), (6, ""), (7, "timeouts"), (8, "")], "{problems:#?}");
    assert!(!format!("{problems:?}").contains("hunter2"));
}

#[test]
fn an_open_bracket_is_not_told_of_every_line_below() {
    let problems =
        load("allow = [\n'pull',\n\n[timeouts]\nconnect = '5s'\ntoken = '5s'\nbody_idle = '5s'\n").unwrap_err();
    assert!(problems.len() <= 2, "{problems:#?}");
}

#[test]
fn everything_is_reported_at_once_and_in_order() {
    let text = "alow = []\n[[listener]]\naddress = '5050'\n[registry.'a.io']\nalias = 'v2'\ncredential = { source = 'password', username = { env = 'NO_1' }, password = { env = 'NO_2' } }\n[timeouts]\nconnect = 1";
    let problems = Problems::new(load(text).unwrap_err());
    let lines: Vec<usize> = problems.0.iter().filter_map(|problem| problem.line).collect();
    assert_eq!(lines, [1, 3, 5, 6, 6, 8], "{problems}");
}

#[test]
fn no_secret_is_told() {
    let bad_lines = [
        "token = \"hunter2",
        "token = hunter2",
        "token = 'hunter2' 'hunter2'",
        "token = [\"hunter2\"]",
        "token = { value = 'hunter2' }",
        "token = { env = 'hunter2-' }",
        "token = 'a\nhunter2='",
        "token = 'a\nhunter2 = 1\n'",
        "token = \"\"\"\nhunter2",
        "hunter2",
    ];
    for line in bad_lines {
        for text in [
            format!("credential = {{ source = 'bearer', {line} }}"),
            format!("[registry.'a.io'.credential]\nsource = 'bearer'\n{line}\n"),
        ] {
            let problems = load(&text).unwrap_err();
            assert!(
                !format!("{problems:?} {}", Problems::new(problems.clone())).contains("hunter2"),
                "{text}\n{problems:#?}"
            );
        }
    }
    for literal in ["'hunter2'", "{ env = 'SET' }"] {
        let config =
            load(&format!("credential = {{ source = 'password', username = {literal}, password = {literal} }}"))
                .unwrap();
        assert!(!format!("{config:?} {}", render::render(&config)).contains("hunter2"));
    }
}

#[test]
fn flags_beat_the_file_and_a_registrys_own_key_beats_both() {
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
    let config = load_with(text, Some("r.toml"), &choices(&flags)).unwrap();
    let listeners: Vec<String> = config.listeners.iter().map(|listener| listener.address.to_string()).collect();
    assert_eq!(listeners, ["0.0.0.0:9", "[::1]:9"]);
    assert!(
        config.listeners.iter().all(|l| l.insecure_open && l.registry.as_ref().is_some_and(|r| r.as_str() == "a.io"))
    );
    let admin = config.admin.unwrap().listener;
    assert_eq!((admin.address.port(), admin.hosts.len(), admin.insecure_open), (8, 1, true));
    let allows: Vec<Vec<Access>> = config.registries.iter().map(|r| r.allow.iter().copied().collect()).collect();
    assert_eq!(allows, [[Access::Delete], [Access::Push]]);
}

#[test]
fn flags_are_judged_with_the_file() {
    let flags = Overrides {
        listen: vec!["0.0.0.0:9".to_owned(), "0.0.0.0:9".to_owned()],
        registry: Some("a.io".to_owned()),
        ..Overrides::default()
    };
    let problems = load_with("", None, &choices(&flags)).unwrap_err();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["--registry", "--listen", "--listen", "--listen"], "{problems:#?}");
    assert!(load_with("[registry.'*.io']", None, &choices(&Overrides { listen: vec![], ..flags })).is_ok());
}

#[test]
fn admin_is_there_without_a_file_or_on_demand() {
    let admin = |text, file, flag: Option<&str>| {
        let flags = Overrides { admin: flag.map(str::to_owned), ..Overrides::default() };
        let admin = load_with(text, file, &choices(&flags)).unwrap().admin;
        admin.map(|admin| (admin.listener.address.to_string(), admin.listener.optional))
    };
    let at = |address: &str, optional| Some((address.to_owned(), optional));
    assert_eq!(admin("", None, None), at("127.0.0.1:5051", true));
    assert_eq!(admin("", Some("r.toml"), None), None);
    assert_eq!(admin("[admin]", Some("r.toml"), None), at("127.0.0.1:5051", false));
    assert_eq!(admin("", Some("r.toml"), Some("127.0.0.1:1")), at("127.0.0.1:1", false));
    assert_eq!(admin("", None, Some("127.0.0.1:1")), at("127.0.0.1:1", false));
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = load(&text);
    }

    #[test]
    fn no_pile_of_pieces_panics(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..24)) {
        if let Err(problems) = load(&pieces.concat()) {
            let _ = Problems::new(problems).to_string();
        }
    }
}

const PIECES: &[&str] = &[
    "\n",
    " = ",
    "\"",
    "'",
    "'''",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    ",",
    ".",
    "#",
    "1",
    "true",
    "ä",
    "\u{feff}",
    "\r",
    "listener",
    "registry",
    "'a.io'",
    "'*'",
    "admin",
    "address",
    "'127.0.0.1:1'",
    "credential",
    "source",
    "'bearer'",
    "token",
    "env",
    "'SET'",
    "identity",
    "repositories",
    "'a/**'",
    "timeouts",
    "connect",
    "'5s'",
    "hosts",
    "alias",
];
