use std::collections::BTreeSet;

use super::*;
use crate::base::clock::WallClock;
use crate::config::patterns::{RepositoryPattern, RepositoryPatterns};
use crate::credential::environment::Environment;
use crate::credential::tests::{fetch, literal};
use crate::net::dial::Network;

fn list(patterns: &[&str]) -> RepositoryPatterns {
    RepositoryPatterns::new(patterns.iter().map(|p| RepositoryPattern::parse(p).unwrap()).collect())
}

#[tokio::test]
async fn the_most_specific_identity_is_selected_for_a_repository() {
    let bearer = |text: &str| CredentialSource::Bearer { token: literal(text) };
    let identity = |patterns: &[&str], name: &str| Identity {
        repositories: Some(list(patterns)),
        clients: BTreeSet::new(),
        credential: bearer(name),
    };
    let identities = [
        identity(&["acme/**", "umbrella/**"], "acme"),
        identity(&["acme/app/**"], "app"),
        identity(&["acme/**"], "second"),
        identity(&["*/base"], "base"),
    ];
    let sources = Sources::new(Environment::default(), Network::Tcp, WallClock::System);
    let credentials = RegistryCredentials::new(&bearer("own"), &identities, &sources, None);
    for (repository, token) in [
        ("", "own"),
        ("other/x", "own"),
        ("acme2/x", "own"),
        ("acme", "acme"),
        ("acme/x", "acme"),
        ("umbrella/x", "acme"),
        ("acme/app", "app"),
        ("acme/app/web", "app"),
        ("other/base", "base"),
    ] {
        let name = RepositoryName::parse(repository).ok();
        let selected = credentials.select(None, name.as_ref());
        let expected = sources.provider_for(&bearer(token));
        assert!(Arc::ptr_eq(&selected.provider, &expected), "{repository}");
        fetch(&*selected.provider, "ghcr.io").await.unwrap();
    }
}

#[tokio::test]
async fn an_identity_that_names_the_client_precedes_those_for_all() {
    let bearer = |text: &str| CredentialSource::Bearer { token: literal(text) };
    let identity = |clients: &[&str], patterns: Option<&[&str]>, name: &str| Identity {
        repositories: patterns.map(list),
        clients: clients.iter().map(|client| ClientName::parse(client).unwrap()).collect(),
        credential: bearer(name),
    };
    let identities = [
        identity(&[], Some(&["acme/secret/**"]), "general"),
        identity(&["alice"], Some(&["acme/**"]), "alice of acme"),
        identity(&["alice", "uid:1000"], None, "alice and 1000"),
        identity(&["bearer"], Some(&["acme/app"]), "bearer"),
    ];
    let sources = Sources::new(Environment::default(), Network::Tcp, WallClock::System);
    let credentials = RegistryCredentials::new(&bearer("own"), &identities, &sources, None);
    for (token, requests) in [
        ("own", &[("", "acme/app"), ("", ""), ("bob", "acme/app"), ("bearer", "")][..]),
        ("general", &[("", "acme/secret/x"), ("uid:1001", "acme/secret/x"), ("bearer", "acme/secret/x")]),
        ("alice of acme", &[("alice", "acme/app"), ("alice", "acme/secret/x")]),
        ("alice and 1000", &[("alice", "other/x"), ("alice", ""), ("uid:1000", "acme/secret/x")]),
        ("bearer", &[("bearer", "acme/app")]),
    ] {
        for (client, repository) in requests {
            let (client, name) = (ClientName::parse(client), RepositoryName::parse(repository).ok());
            let selected = credentials.select(client.as_ref(), name.as_ref());
            let expected = sources.provider_for(&bearer(token));
            assert!(Arc::ptr_eq(&selected.provider, &expected), "{token} for {client:?} {repository}");
        }
    }
    let impostor = ClientName::Named("uid:1000".into());
    let own = sources.provider_for(&bearer("own"));
    assert!(
        Arc::ptr_eq(&credentials.select(Some(&impostor), None).provider, &own),
        "a certificate's name is not a uid"
    );
}
