use proptest::prelude::*;

use super::*;
use crate::credential::tests::{RequestContext, password};

fn parse(text: &str) -> DockerFile {
    DockerFile::parse(Path::new("/h/config.json"), text).unwrap()
}

/// A lookup as text: the credential's kind, user and secret, the helper with its key, or the error.
fn look_up(file: &DockerFile, image: &str) -> String {
    let (registry, repository) = image.split_once('/').unwrap_or((image, ""));
    match file.lookup(&RequestContext::new(registry, repository).request()) {
        Lookup::Credential(resolved) => match &resolved.credential {
            Credential::Anonymous => "anonymous".into(),
            Credential::Password { username, password } => format!("password {username} {}", password.expose()),
            Credential::Identity { username, token } => format!("identity {username:?} {}", token.expose()),
            Credential::Bearer { token } => format!("bearer {}", token.expose()),
        },
        Lookup::Invalid(error) => error.message.clone(),
        Lookup::Helper(entry) => format!("helper {} {}", entry.helper, entry.key.unwrap_or("-")),
        Lookup::EmptyEntry(key) => format!("empty {key}"),
        Lookup::None => "nothing".into(),
    }
}

#[test]
fn entries_contain_every_kind_of_credential() {
    for (entry, expected) in [
        (r#"{"auth": "dTpw"}"#, "password u p"),
        (r#"{"auth": "dTpwOnE="}"#, "password u p:q"),
        (r#"{"auth": "dTpwOnE"}"#, "password u p:q"),
        (r#"{"auth": "dTpwAAA="}"#, "password u p"),
        (r#"{"auth": "dTpw", "username": "x", "password": "y"}"#, "password u p"),
        (r#"{"auth": "", "username": "x", "password": "y", "email": "e"}"#, "password x y"),
        (r#"{"username": "<token>", "password": "t"}"#, "identity None t"),
        (r#"{"auth": "PHRva2VuPjp0"}"#, "identity None t"),
        (r#"{"auth": "dTo=", "identitytoken": "t"}"#, "identity Some(\"u\") t"),
        (r#"{"identitytoken": "t"}"#, "identity None t"),
        (r#"{"auth": "dTpw", "identitytoken": "t", "registrytoken": "r"}"#, "bearer r"),
        ("{}", "empty a.io"),
        ("null", "empty a.io"),
        (r#"{"auth": "", "identitytoken": null}"#, "empty a.io"),
        (r#"{"auth": "Og=="}"#, "empty a.io"),
        (r#"{"auth": "dTpw\n"}"#, "password u p"),
        (r#"{"auth": " dT\r\npw\u0000"}"#, "password u p"),
        (r#"{"auth": "dTpwCg=="}"#, "password u p"),
        (r#"{"auth": "dTpwDQoAAA=="}"#, "password u p"),
        (r#"{"auth": "dTrDv8O-"}"#, "password u ÿþ"),
        (r#"{"auth": "dTrDv8O+"}"#, "password u ÿþ"),
        (r#"{"Auth": "dTpw", "Email": null}"#, "password u p"),
        (r#"{"identityToken": "t", "username": "u"}"#, "identity Some(\"u\") t"),
        (r#"{"auth": "\n", "username": "x", "password": "y"}"#, "password x y"),
    ] {
        assert_eq!(look_up(&parse(&format!(r#"{{"auths": {{"a.io": {entry}}}}}"#)), "a.io"), expected, "{entry}");
    }
    for auth in ["hunter2", "!", "dXA=", "//8="] {
        let file = parse(&format!(r#"{{"auths": {{"a.io": {{"auth": "{auth}"}}, "b.io": {{"auth": "dTpw"}}}}}}"#));
        let error = r#"/h/config.json: the `auth` of "a.io" is not user:password in base64; log in again"#;
        assert_eq!(look_up(&file, "a.io"), error);
        assert_eq!(look_up(&file, "b.io"), "password u p", "an invalid entry does not affect the others");
    }
}

#[test]
fn the_most_specific_entry_is_used() {
    let file = parse(
        r#"{"auths": {
            "https://ghcr.io/v1/": {"username": "api", "password": "p"},
            "ghcr.io": {"username": "host", "password": "p"},
            "ghcr.io/org": {"username": "org", "password": "p"},
            "ghcr.io/org/repo": {"username": "repo", "password": "p"},
            "ghcr.io/other": {},
            "https://index.docker.io/v1/": {"username": "legacy", "password": "p"},
            "https://index.docker.io/v1/access-token": {"username": "access", "password": "p"},
            "docker.io": {"username": "plain", "password": "p"},
            "docker.io/acme": {"username": "acme", "password": "p"},
            "https://quay.io/": {"username": "url", "password": "p"},
            "registry.io": {"username": "r", "password": "p"}
        }}"#,
    );
    for (image, user) in [
        ("ghcr.io", "password host p"),
        ("ghcr.io/org/repo", "password repo p"),
        ("ghcr.io/org/repo/deeper", "password repo p"),
        ("ghcr.io/org/repository", "password org p"),
        ("ghcr.io/org", "password org p"),
        ("ghcr.io/organization/x", "password host p"),
        ("ghcr.io/other/x", "password host p"),
        ("docker.io", "password legacy p"),
        ("docker.io/library/python", "password legacy p"),
        ("docker.io/acme/app", "password acme p"),
        ("quay.io", "password url p"),
        ("registry.io.evil.com", "nothing"),
        ("registry.io:5000", "nothing"),
        ("registry.io:443", "password r p"),
        ("evil-registry.io", "nothing"),
    ] {
        assert_eq!(look_up(&file, image), user, "{image}");
    }
}

#[test]
fn cred_helpers_precede_auths_and_auths_precede_the_store() {
    let file = parse(
        r#"{"auths": {"a.io": {"auth": "dTpw"}, "b.io": {"auth": "dTpw"}, "https://c.io": {}, "e.io": {}},
            "credHelpers": {"a.io": "own", "e.io": "", "f.io": null, "g.io/team": "team"}, "credsStore": "all"}"#,
    );
    for (image, answer) in [
        ("a.io", "helper own a.io"),
        ("b.io", "password u p"),
        ("c.io", "helper all https://c.io"),
        ("d.io", "helper all -"),
        ("e.io", "empty e.io"),
        ("f.io", "nothing"),
        ("g.io", "helper all -"),
        ("g.io/team/app", "helper team g.io/team"),
        ("g.io/teams/app", "helper all -"),
    ] {
        assert_eq!(look_up(&file, image), answer, "{image}");
    }
    let empty = parse(r#"{"auths": {"a.io": {}}, "credsStore": ""}"#);
    assert_eq!(look_up(&empty, "a.io"), "empty a.io");
    for nothing in ["{}", r#"{"auths": null, "credHelpers": null, "credsStore": null, "HttpHeaders": {"X": "y"}}"#] {
        assert_eq!(look_up(&parse(nothing), "a.io"), "nothing");
    }
}

#[test]
fn patterns_count_where_no_other_key_matches() {
    let file = parse(
        r#"{"auths": {
            "*.jfrog.io": {"username": "any", "password": "p"},
            "*.jfrog.io/docker": {"username": "docker", "password": "p"},
            "acme*.jfrog.io": {"username": "acme", "password": "p"},
            "own.jfrog.io": {"username": "own", "password": "p"},
            "https://*.reg.example:8443/v2/": {"username": "port", "password": "p"},
            "a.example/team": {"username": "team", "password": "p"},
            "*.example": {"username": "example", "password": "p"}
        }, "credHelpers": {"*.help.example": "h"}}"#,
    );
    for (image, found) in [
        ("x.jfrog.io", "password any p"),
        ("x.jfrog.io/other/app", "password any p"),
        ("x.jfrog.io/docker/app", "password docker p"),
        ("x.jfrog.io/dockerhub/app", "password docker p"),
        ("acme.jfrog.io/docker/app", "password acme p"),
        ("own.jfrog.io/docker/app", "password own p"),
        ("a.b.jfrog.io", "nothing"),
        ("jfrog.io", "nothing"),
        ("x.jfrog.io:8443", "nothing"),
        ("x.jfrog.io.evil.com", "nothing"),
        ("a.reg.example:8443/team/app", "password port p"),
        ("a.reg.example", "nothing"),
        ("a.example/team/app", "password team p"),
        ("a.example/teamwork/app", "password team p"),
        ("a.example/tea", "password example p"),
        ("a.example", "password example p"),
        ("a.help.example", "nothing"),
    ] {
        assert_eq!(look_up(&file, image), found, "{image}");
    }
}

#[test]
fn old_file_has_the_entries_that_auths_has_in_a_new_one() {
    let file = parse(r#"{"https://index.docker.io/v1/": {"auth": "dTpw", "email": "e"}, "quay.io": {"auth": "djpx"}}"#);
    for (image, found) in
        [("docker.io/library/python", "password u p"), ("quay.io/a/b", "password v q"), ("ghcr.io", "nothing")]
    {
        assert_eq!(look_up(&file, image), found, "{image}");
    }
    assert!(file.oddities().is_empty());
}

#[test]
fn what_has_no_effect_is_reported_and_secrets_are_not_repeated() {
    let oddities = |text: &str| {
        let lines =
            parse(text).oddities().into_iter().map(|Oddity { key, what, hint }| format!("{key}: {what}; {hint}"));
        lines.collect::<Vec<_>>().join("\n")
    };
    for (text, key, what) in [
        (r#"{"auths": {"a.io": {}}}"#, r#"auths."a.io": "#, "the entry is empty"),
        (r#"{"auths": {"a.io": {"auth": "hunter2"}}}"#, r#"auths."a.io": "#, "not user:password in base64"),
        (r#"{"auths": {"a.io/x*": {"auth": "dTpw"}}}"#, r#"auths."a.io/x*": "#, "matches no repository"),
        (r#"{"auths": {"*.a.io/*": {"auth": "dTpw"}}}"#, r#"auths."*.a.io/*": "#, "matches no repository"),
        (r#"{"auths": {"https://u:hunter2@a.io": {"auth": "dTpw"}}}"#, "auths: entry 1", "not the host of a registry"),
        (r#"{"credHelpers": {"*.gcr.io": "gcloud"}}"#, r#"credHelpers."*.gcr.io": "#, "no wildcards in `credHelpers`"),
        (r#"{"auths": {"a.io": {"auth": "dTpw"}}, "b.io": {"auth": "dTpw"}}"#, "auths: ", "beside `auths`"),
    ] {
        let found = oddities(text);
        assert!(found.lines().count() == 1 && found.starts_with(key) && found.contains(what), "{text}: {found}");
        assert!(!found.contains("hunter2"), "{found}");
    }
    assert!(parse("{}").has_nothing() && !parse(r#"{"credsStore": "x"}"#).has_nothing());
    for text in [
        "{}",
        r#"{"auths": {"a.io": {}}, "credsStore": "x"}"#,
        r#"{"auths": {"a.io": {}}, "credHelpers": {"a.io": "x"}}"#,
        r#"{"auths": {"*.a.io/team": {"auth": "dTpw"}, "https://b.io/v1/": {"auth": "dTpw"}}}"#,
    ] {
        assert_eq!(oddities(text), "", "{text}");
    }
}

#[test]
fn parse_errors_name_line_and_column_and_quote_nothing() {
    for (text, error) in [
        ("", "1:0: the file is empty"),
        ("hunter2", "1:1: it is not well-formed JSON"),
        ("{\"auths\": {\n  \"a.io\": {\"auth\": hunter2}}}", "2:20: it is not well-formed JSON"),
        ("{\"auths\": {\"a.io\": {\"auth\": \"hunter2", "1:36: it is not well-formed JSON"),
        ("{\n\"credsStore\": {\"hunter2\": 1}}", "2:14: a value has the wrong type"),
        ("[\"hunter2\"]", "a value has the wrong type"),
    ] {
        let what = DockerFile::parse(Path::new("/h/config.json"), text).unwrap_err().to_string();
        assert!(what.starts_with("/h/config.json:") && what.contains(error), "{what}");
        assert!(!what.contains("hunter2"), "{what}");
    }
}

#[test]
fn the_source_of_a_credential_is_its_file() {
    let file = parse(r#"{"auths": {"a.io": {"auth": "dTpw"}}}"#);
    let Lookup::Credential(resolved) = file.lookup(&RequestContext::new("a.io", "").request()) else {
        panic!("the file has a credential")
    };
    assert_eq!((&resolved.credential, &*resolved.source), (&password("u", "p"), "/h/config.json"));
}

/// JSON similar to a configuration file, with arbitrary values in arbitrary places.
fn arbitrary_json() -> impl Strategy<Value = serde_json::Value> {
    let key = || {
        prop_oneof![
            Just("auths".to_owned()),
            Just("credHelpers".to_owned()),
            Just("credsStore".to_owned()),
            Just("auth".to_owned()),
            Just("identitytoken".to_owned()),
            Just("https://index.docker.io/v1/".to_owned()),
            "(https?://)?[a-z.]{0,5}(:[0-9]{0,6})?(/[a-z]{0,2}){0,3}",
            any::<String>(),
        ]
    };
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<i64>().prop_map(Into::into),
        "[A-Za-z0-9+/=]{0,12}".prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec((key(), inner), 0..6)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_the_parser_panic(json in arbitrary_json(), auths in arbitrary_json(), helpers in arbitrary_json()) {
        let likely = serde_json::json!({ "auths": auths, "credHelpers": helpers, "credsStore": "s" });
        for json in [json, likely] {
            if let Ok(file) = DockerFile::parse(Path::new("f"), &json.to_string()) {
                for image in ["docker.io/library/python", "a.io", "a.io:5000/a/b"] {
                    look_up(&file, image);
                }
            }
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        _ = DockerFile::parse(Path::new("f"), &text);
    }
}
