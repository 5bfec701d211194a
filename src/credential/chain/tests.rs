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
async fn the_closest_identity_serves_a_repository() {
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
    let credentials = Credentials::new(&bearer("own"), &identities, &sources, None);
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
        let login = credentials.choose(None, name.as_ref());
        let expected = sources.build(&bearer(token));
        assert!(Arc::ptr_eq(&login.provider, &expected), "{repository}");
        fetch(&*login.provider, "ghcr.io").await.unwrap();
    }
}

#[tokio::test]
async fn an_identity_that_names_the_client_comes_first() {
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
    let credentials = Credentials::new(&bearer("own"), &identities, &sources, None);
    for (client, repository, token) in [
        ("", "acme/app", "own"),
        ("", "acme/secret/x", "general"),
        ("", "", "own"),
        ("bob", "acme/app", "own"),
        ("alice", "acme/app", "alice of acme"),
        ("alice", "acme/secret/x", "alice of acme"),
        ("alice", "other/x", "alice and 1000"),
        ("alice", "", "alice and 1000"),
        ("uid:1000", "acme/secret/x", "alice and 1000"),
        ("uid:1001", "acme/secret/x", "general"),
        ("bearer", "acme/app", "bearer"),
        ("bearer", "acme/secret/x", "general"),
        ("bearer", "", "own"),
    ] {
        let (client, name) = (ClientName::parse(client), RepositoryName::parse(repository).ok());
        let login = credentials.choose(client.as_ref(), name.as_ref());
        assert!(Arc::ptr_eq(&login.provider, &sources.build(&bearer(token))), "{client:?} {repository}");
    }
    let impostor = ClientName::Named("uid:1000".into());
    let own = sources.build(&bearer("own"));
    assert!(Arc::ptr_eq(&credentials.choose(Some(&impostor), None).provider, &own), "a certificate's name is no uid");
}
