//! From a name to a row.

use http::HeaderMap;

use super::{Profile, Sign, rows};
use crate::base::host::RegistryHost;
use crate::oci::challenge::Challenge;

/// The row that lists `host`.
pub fn by_host(host: &RegistryHost) -> Option<&'static Profile> {
    let in_family = |row: &&Profile| row.families.iter().any(|family| matches(family, host.as_str()));
    listing(host).or_else(|| rows::ALL.iter().find(in_family))
}

/// The row that the first challenge of a registry gives away.
pub fn by_challenge(challenges: &[Challenge], headers: &HeaderMap) -> Option<&'static Profile> {
    rows::ALL.iter().find(|row| row.signs.iter().any(|sign| sign.is_in(challenges, headers)))
}

impl Sign {
    fn is_in(&self, challenges: &[Challenge], headers: &HeaderMap) -> bool {
        let any = |scheme: &str, name: &str, is: &dyn Fn(&str) -> bool| {
            challenges.iter().any(|one| one.scheme == scheme && one.param(name).is_some_and(is))
        };
        match *self {
            Self::Service(service) => any("bearer", "service", &|told| told == service),
            Self::RealmPath(path) => any("bearer", "realm", &|realm| {
                realm.split(['?', '#']).next().is_some_and(|realm| realm.ends_with(path))
            }),
            Self::BasicRealm(realm) => any("basic", "realm", &|told| told == realm),
            Self::EmptyScope => challenges.iter().any(|one| one.scheme == "bearer" && one.leaves_empty("scope")),
            Self::Scope(scope) => any("bearer", "scope", &|told| told == scope),
            Self::ServiceAndScope(service, scope) => {
                any("bearer", "service", &|told| told == service) && any("bearer", "scope", &|told| told == scope)
            }
            Self::Header(name) => headers.contains_key(name),
        }
    }
}

/// The row the configuration calls `name`.
pub fn by_name(name: &str) -> Option<&'static Profile> {
    rows::ALL.iter().find(|row| row.name == name)
}

/// The row of Docker Hub, which other registries stand for.
pub fn hub() -> &'static Profile {
    by_name("docker-hub").expect("the table has it")
}

/// The one name of a registry that is known by several: aliases lead to the first host of a row that says where its
/// API lives, every other host is its own name.
pub fn canonical_host(host: &RegistryHost) -> RegistryHost {
    let first = listing(host).filter(|row| row.api_host.is_some()).and_then(|row| row.hosts.first());
    first.and_then(|first| RegistryHost::parse(first).ok()).unwrap_or_else(|| host.clone())
}

/// Whether a registry may be reached without being configured.
pub fn is_well_known(host: &RegistryHost) -> bool {
    listing(host).is_some()
}

fn listing(host: &RegistryHost) -> Option<&'static Profile> {
    rows::ALL.iter().find(|row| row.hosts.contains(&host.as_str()))
}

fn matches(family: &str, host: &str) -> bool {
    let (family, host): (Vec<&str>, Vec<&str>) = (family.split('.').collect(), host.split('.').collect());
    family.len() == host.len() && family.iter().zip(host).all(|(pattern, label)| *pattern == "*" || *pattern == label)
}

/// The row of a registry of which nothing is known.
pub fn fallback() -> &'static Profile {
    rows::ALL.last().expect("the table ends with the fallback")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::base::origin::Origin;

    fn host(text: &str) -> RegistryHost {
        RegistryHost::parse(text).unwrap()
    }

    #[test]
    fn hosts_find_their_rows_and_one_name() {
        for (name, row, canonical) in [
            ("docker.io", "docker-hub", "docker.io"),
            ("registry-1.docker.io", "docker-hub", "docker.io"),
            ("hub.docker.com", "docker-hub", "docker.io"),
            ("ghcr.io", "ghcr", "ghcr.io"),
            ("quay.io", "quay", "quay.io"),
            ("us-docker.pkg.dev", "google", "us-docker.pkg.dev"),
            ("1234.dkr.ecr.eu-west-2.amazonaws.com", "ecr", "1234.dkr.ecr.eu-west-2.amazonaws.com"),
            ("1234.dkr-ecr.eu-west-2.on.aws", "ecr", "1234.dkr-ecr.eu-west-2.on.aws"),
            ("1234.dkr-ecr-fips.us-east-1.on.aws", "ecr", "1234.dkr-ecr-fips.us-east-1.on.aws"),
            ("1234.dkr.ecr.eusc-de-east-1.amazonaws.eu", "ecr", "1234.dkr.ecr.eusc-de-east-1.amazonaws.eu"),
            ("public.ecr.aws", "ecr-public", "public.ecr.aws"),
            ("ecr-public.aws.com", "ecr-public", "ecr-public.aws.com"),
            ("team.azurecr.io", "acr", "team.azurecr.io"),
            ("team.westeurope.geo.azurecr.io", "acr", "team.westeurope.geo.azurecr.io"),
            ("team-docker.jfrog.io", "artifactory", "team-docker.jfrog.io"),
            ("a.team.azurecr.io", "generic", "a.team.azurecr.io"),
            ("azurecr.io", "generic", "azurecr.io"),
            ("registry.example", "generic", "registry.example"),
        ] {
            assert_eq!(
                (by_host(&host(name)).unwrap_or_else(fallback).name, canonical_host(&host(name)).as_str()),
                (row, canonical),
                "{name}"
            );
        }
        assert!(is_well_known(&host("ghcr.io")) && !is_well_known(&host("registry.example")));
        assert!(!is_well_known(&host("team.azurecr.io")), "a family has to be configured");
        assert!(!is_well_known(&host("ghcr.io:8443")));
    }

    #[test]
    fn first_challenges_give_registries_away() {
        for (challenge, row) in [
            (
                r#"Bearer realm="https://h/service/token",service="harbor-registry",scope="repository:a/b:pull""#,
                "harbor",
            ),
            (r#"Basic realm="Artifactory Realm""#, "artifactory"),
            (r#"Bearer realm="https://h/v2/token",service="container_registry",scope="*""#, "gitea"),
            (r#"Bearer realm="https://gitlab.example/jwt/auth",service="container_registry""#, "gitlab"),
            (r#"Bearer realm="https://quay.example/v2/auth",service="quay.example""#, "quay"),
            (r#"Bearer realm="https://r.example/oauth2/token",service="r.example""#, "acr"),
            (r#"Bearer realm="https://h/token",scope="",service="zot""#, "zot"),
            (r#"Bearer realm="https://h/token",service="zot",scope="repository::pull""#, "zot"),
            (r#"Bearer realm="https://h/token",service="zot""#, "generic"),
            (r#"Bearer realm="https://h/token",service="container_registry""#, "generic"),
            (r#"Basic realm="Registry Realm""#, "generic"),
        ] {
            let found = by_challenge(&Challenge::parse_line(challenge), &HeaderMap::new());
            assert_eq!(found.unwrap_or_else(fallback).name, row, "{challenge}");
        }
        let beside = HeaderMap::from_iter([(
            http::header::HeaderName::from_static("x-jfrog-version"),
            http::HeaderValue::from_static("Artifactory/7"),
        )]);
        assert_eq!(by_challenge(&[], &beside).map(|row| row.name), Some("artifactory"));
    }

    #[test]
    fn the_table_is_in_order() {
        let names: Vec<_> = rows::ALL.iter().map(|row| row.name).collect();
        let mut sorted = names[..names.len() - 1].to_vec();
        sorted.sort_unstable();
        assert_eq!(names[..names.len() - 1], sorted, "names are sorted, the fallback stands last");
        assert_eq!(names.last(), Some(&"generic"));
        let mut seen = BTreeSet::new();
        for row in rows::ALL {
            assert!(
                row.evidence.iter().all(|e| !e.what.is_empty() && !e.source.is_empty() && e.date.starts_with("20"))
            );
            assert!(!row.evidence.is_empty(), "{} has evidence", row.name);
            for name in row.hosts {
                assert!(seen.insert(name), "{name} stands in one row");
                assert_eq!(host(name).as_str(), *name);
            }
            for name in row.realm_hosts.iter().chain(&row.api_host) {
                assert!(Origin::https(name).is_ok(), "{name}");
            }
        }
    }
}
