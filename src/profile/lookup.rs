//! Finds a registry's profile by the registry's host, by its challenge, or by the profile's name in the configuration.

use std::collections::BTreeSet;

use http::HeaderMap;

use super::{Fingerprint, Profile, registries};
use crate::base::host::RegistryHost;
use crate::oci::challenge::Challenge;

/// The profile that lists `host`, else the first that has a pattern for it.
pub fn by_host(host: &RegistryHost) -> Option<&'static Profile> {
    let matches_host = |profile: &&Profile| profile.host_patterns.iter().any(|pattern| matches(pattern, host.as_str()));
    listing(host).or_else(|| registries::ALL.iter().find(matches_host))
}

/// The first profile with a fingerprint that matches a registry's first challenge. `headers` are those of the response.
pub fn by_challenge(challenges: &[Challenge], headers: &HeaderMap) -> Option<&'static Profile> {
    registries::ALL
        .iter()
        .find(|profile| profile.fingerprints.iter().any(|fingerprint| fingerprint.is_in(challenges, headers)))
}

impl Fingerprint {
    fn is_in(&self, challenges: &[Challenge], headers: &HeaderMap) -> bool {
        let any_param = |scheme: &str, name: &str, is: &dyn Fn(&str) -> bool| {
            challenges.iter().any(|one| one.scheme == scheme && one.param(name).is_some_and(is))
        };
        match *self {
            Self::Service(service) => any_param("bearer", "service", &|value| value == service),
            Self::RealmPath(path) => any_param("bearer", "realm", &|realm| {
                realm.split(['?', '#']).next().is_some_and(|realm| realm.ends_with(path))
            }),
            Self::BasicRealm(realm) => any_param("basic", "realm", &|value| value == realm),
            Self::EmptyScope => challenges.iter().any(|one| one.scheme == "bearer" && one.has_empty_param("scope")),
            Self::Scope(scope) => any_param("bearer", "scope", &|value| value == scope),
            Self::ServiceAndScope(service, scope) => {
                any_param("bearer", "service", &|value| value == service)
                    && any_param("bearer", "scope", &|value| value == scope)
            }
            Self::Header(name) => headers.contains_key(name),
        }
    }
}

/// The profile that the configuration calls `name`.
pub fn by_name(name: &str) -> Option<&'static Profile> {
    registries::ALL.iter().find(|profile| profile.name == name)
}

/// The profile of Docker Hub, also for the repository names in registries that mirror it.
pub fn hub() -> &'static Profile {
    by_name("docker-hub").expect("Docker Hub has a profile")
}

/// The canonical host of a registry with several names: for an alias, the first host of a profile that has an
/// `api_host`; every other host is canonical.
pub fn canonical_host(host: &RegistryHost) -> RegistryHost {
    let first = listing(host).filter(|profile| profile.api_host.is_some()).and_then(|profile| profile.hosts.first());
    first.and_then(|first| RegistryHost::parse(first).ok()).unwrap_or_else(|| host.clone())
}

/// The registries that can be used without being configured, by their canonical hosts, sorted.
pub fn well_known() -> BTreeSet<RegistryHost> {
    let hosts = registries::ALL.iter().flat_map(|profile| profile.hosts);
    hosts.filter_map(|host| RegistryHost::parse(host).ok()).map(|host| canonical_host(&host)).collect()
}

/// Whether the registry is public and can be used without being configured.
pub fn is_well_known(host: &RegistryHost) -> bool {
    listing(host).is_some()
}

fn listing(host: &RegistryHost) -> Option<&'static Profile> {
    registries::ALL.iter().find(|profile| profile.hosts.contains(&host.as_str()))
}

fn matches(pattern: &str, host: &str) -> bool {
    let (pattern, host): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), host.split('.').collect());
    pattern.len() == host.len() && pattern.iter().zip(host).all(|(wanted, label)| *wanted == "*" || *wanted == label)
}

/// The profile for registries about which nothing is known.
pub fn fallback() -> &'static Profile {
    registries::ALL.last().expect("there is at least the fallback profile")
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
    fn host_gives_profile_and_canonical_host() {
        for (profile, names) in [
            ("docker-hub", &["docker.io", "registry-1.docker.io", "hub.docker.com"][..]),
            ("ghcr", &["ghcr.io"]),
            ("quay", &["quay.io"]),
            ("google", &["us-docker.pkg.dev"]),
            (
                "ecr",
                &[
                    "1234.dkr.ecr.eu-west-2.amazonaws.com",
                    "1234.dkr-ecr.eu-west-2.on.aws",
                    "1234.dkr-ecr-fips.us-east-1.on.aws",
                    "1234.dkr.ecr.eusc-de-east-1.amazonaws.eu",
                ],
            ),
            ("ecr-public", &["public.ecr.aws", "ecr-public.aws.com"]),
            (
                "acr",
                &[
                    "team.azurecr.io",
                    "team-f3c8a2b1d4e6f7a9.azurecr.io",
                    "team.westeurope.geo.azurecr.io",
                    "team-f3c8a2b1d4e6f7a9.westeurope.geo.azurecr.io",
                ],
            ),
            ("artifactory", &["team-docker.jfrog.io"]),
            ("generic", &["a.team.azurecr.io", "azurecr.io", "registry.example"]),
        ] {
            for name in names {
                assert_eq!(by_host(&host(name)).unwrap_or_else(fallback).name, profile, "{name}");
                let canonical = if profile == "docker-hub" { "docker.io" } else { name };
                assert_eq!(canonical_host(&host(name)).as_str(), canonical, "{name}");
            }
        }
        assert!(is_well_known(&host("ghcr.io")) && !is_well_known(&host("registry.example")));
        assert!(!is_well_known(&host("team.azurecr.io")), "a host that matches only a pattern has to be configured");
        assert!(!is_well_known(&host("ghcr.io:8443")));
    }

    #[test]
    fn first_challenge_identifies_the_profile() {
        for (challenge, profile) in [
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
            assert_eq!(found.unwrap_or_else(fallback).name, profile, "{challenge}");
        }
        let headers = HeaderMap::from_iter([(
            http::header::HeaderName::from_static("x-jfrog-version"),
            http::HeaderValue::from_static("Artifactory/7"),
        )]);
        assert_eq!(by_challenge(&[], &headers).map(|profile| profile.name), Some("artifactory"));
    }

    #[test]
    fn profiles_are_sorted_unique_and_have_evidence() {
        let names: Vec<_> = registries::ALL.iter().map(|profile| profile.name).collect();
        let mut sorted = names[..names.len() - 1].to_vec();
        sorted.sort_unstable();
        assert_eq!(names[..names.len() - 1], sorted, "names are sorted, the fallback comes last");
        assert_eq!(names.last(), Some(&"generic"));
        let mut seen = BTreeSet::new();
        for profile in registries::ALL {
            assert!(
                profile.evidence.iter().all(|e| !e.what.is_empty() && !e.source.is_empty() && e.date.starts_with("20"))
            );
            assert!(!profile.evidence.is_empty(), "{} has evidence", profile.name);
            for name in profile.hosts {
                assert!(seen.insert(name), "{name} is in more than one profile");
                assert_eq!(host(name).as_str(), *name);
            }
            for name in profile.realm_hosts.iter().chain(&profile.api_host) {
                assert!(Origin::https(name).is_ok(), "{name}");
            }
        }
    }
}
