use super::*;
use crate::base::clock::WallClock;
use crate::config::patterns::RepositoryPattern;
use crate::credential::environment::Environment;
use crate::credential::tests::{fetch, literal};
use crate::net::dial::Network;

#[tokio::test]
async fn the_closest_identity_serves_a_repository() {
    let bearer = |text: &str| CredentialSource::Bearer { token: literal(text) };
    let identity = |patterns: &[&str], name: &str| Identity {
        repositories: RepositoryPatterns::new(patterns.iter().map(|p| RepositoryPattern::parse(p).unwrap()).collect()),
        credential: bearer(name),
    };
    let identities = [
        identity(&["acme/**", "umbrella/**"], "acme"),
        identity(&["acme/app/**"], "app"),
        identity(&["acme/**"], "second"),
        identity(&["*/base"], "base"),
    ];
    let sources = Sources::new(Environment::default(), Network::Tcp, WallClock::System);
    let credentials = Credentials::new(&bearer("own"), &identities, &sources);
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
        let login = credentials.for_repository(name.as_ref());
        let expected = sources.build(&bearer(token));
        assert!(Arc::ptr_eq(&login.provider, &expected), "{repository}");
        fetch(&*login.provider, "ghcr.io").await.unwrap();
    }
}
