use std::fs;
use std::time::Duration;

use tempfile::tempdir;
use tokio::time::advance;

use super::*;
use crate::base::tests::replace_file;
use crate::credential::tests::{fetch, literal, password};

#[tokio::test]
async fn values_become_credentials_with_their_source() {
    let variable =
        SecretSource::Value { secret: Secret::new("hunter2"), source: ValueSource::Variable("GHCR_TOKEN".into()) };
    let token = || Secret::new("hunter2");
    for (provider, credential, source) in [
        (ConfiguredCredential::anonymous(), Credential::Anonymous, "no credential"),
        (
            ConfiguredCredential::password(&literal("u"), &literal("hunter2")),
            password("u", "hunter2"),
            "password in the configuration",
        ),
        (ConfiguredCredential::password(&literal("u"), &variable), password("u", "hunter2"), "password in $GHCR_TOKEN"),
        (
            ConfiguredCredential::identity(&variable, None),
            Credential::Identity { username: None, token: token() },
            "identity token in $GHCR_TOKEN",
        ),
        (
            ConfiguredCredential::identity(&literal("hunter2"), Some(&literal("u"))),
            Credential::Identity { username: Some("u".into()), token: token() },
            "identity token in the configuration",
        ),
        (ConfiguredCredential::bearer(&variable), Credential::Bearer { token: token() }, "bearer token in $GHCR_TOKEN"),
    ] {
        let resolved = fetch(&provider, "ghcr.io").await.unwrap();
        assert_eq!((&resolved.credential, &*resolved.source), (&credential, source));
    }
}

#[tokio::test(start_paused = true)]
async fn changed_files_are_used_and_an_empty_one_is_not() {
    let folder = tempdir().unwrap();
    let (name, secret) = (folder.path().join("name"), folder.path().join("secret"));
    fs::write(&name, "u\n").unwrap();
    let provider =
        ConfiguredCredential::password(&SecretSource::File(name.clone()), &SecretSource::File(secret.clone()));
    let missing = fetch(&provider, "ghcr.io").await.unwrap_err();
    assert!(missing.message.contains(secret.to_str().unwrap()), "{missing}");

    let second = Duration::from_secs(1);
    fs::write(&secret, "one\n").unwrap();
    advance(second).await;
    let first = fetch(&provider, "ghcr.io").await.unwrap();
    assert_eq!(first.credential, password("u", "one"));
    assert_eq!(*first.source, *format!("password in {}", secret.display()));

    replace_file(&secret, "two\n");
    replace_file(&name, "v\n");
    advance(second).await;
    let changed = fetch(&provider, "ghcr.io").await.unwrap();
    assert_eq!(changed.credential, password("v", "two"));
    assert_ne!(changed.id, first.id);

    fs::write(&secret, "").unwrap();
    advance(second).await;
    assert_eq!(fetch(&provider, "ghcr.io").await.unwrap().id, changed.id, "the last good content stays in use");
}
