use std::fs;
use std::time::Duration;

use tempfile::tempdir;
use tokio::time::advance;

use super::*;
use crate::credential::tests::{fetch, literal, password, replace};

#[tokio::test]
async fn values_become_the_credentials_they_are_configured_as() {
    let variable =
        SecretSource::Value { secret: Secret::new("hunter2"), origin: ValueOrigin::Variable("GHCR_TOKEN".into()) };
    let token = || Secret::new("hunter2");
    for (provider, credential, source) in [
        (Fixed::anonymous(), Credential::Anonymous, "no credential"),
        (
            Fixed::password(&literal("u"), &literal("hunter2")),
            password("u", "hunter2"),
            "password in the configuration",
        ),
        (Fixed::password(&literal("u"), &variable), password("u", "hunter2"), "password in $GHCR_TOKEN"),
        (
            Fixed::identity(&variable, None),
            Credential::Identity { username: None, token: token() },
            "identity token in $GHCR_TOKEN",
        ),
        (
            Fixed::identity(&literal("hunter2"), Some(&literal("u"))),
            Credential::Identity { username: Some("u".into()), token: token() },
            "identity token in the configuration",
        ),
        (Fixed::bearer(&variable), Credential::Bearer { token: token() }, "bearer token in $GHCR_TOKEN"),
    ] {
        let found = fetch(&provider, "ghcr.io").await.unwrap();
        assert_eq!((&found.credential, &*found.source), (&credential, source));
    }
}

#[tokio::test(start_paused = true)]
async fn files_are_in_force_when_they_change() {
    let folder = tempdir().unwrap();
    let (name, secret) = (folder.path().join("name"), folder.path().join("secret"));
    fs::write(&name, "u\n").unwrap();
    let provider = Fixed::password(&SecretSource::File(name.clone()), &SecretSource::File(secret.clone()));
    let missing = fetch(&provider, "ghcr.io").await.unwrap_err();
    assert!(missing.what.contains(secret.to_str().unwrap()), "{missing}");

    let second = Duration::from_secs(1);
    fs::write(&secret, "one\n").unwrap();
    advance(second).await;
    let first = fetch(&provider, "ghcr.io").await.unwrap();
    assert_eq!(first.credential, password("u", "one"));
    assert_eq!(*first.source, *format!("password in {}", secret.display()));

    replace(&secret, "two\n");
    replace(&name, "v\n");
    advance(second).await;
    let changed = fetch(&provider, "ghcr.io").await.unwrap();
    assert_eq!(changed.credential, password("v", "two"));
    assert_ne!(changed.id, first.id);

    fs::write(&secret, "").unwrap();
    advance(second).await;
    assert_eq!(fetch(&provider, "ghcr.io").await.unwrap().id, changed.id, "an empty file does not take it away");
}
