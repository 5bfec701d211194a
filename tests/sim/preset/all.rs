//! Every registry, by the name of its profile in regpass.

use super::{AuthMode, GiteaChallenge, Preset};

impl Preset {
    /// One preset for each profile, in alphabetical order; the generic one is the last.
    pub fn all() -> Vec<(&'static str, Self)> {
        vec![
            ("acr", Self::acr()),
            ("artifactory", Self::artifactory()),
            ("distribution", Self::distribution(AuthMode::Token)),
            ("docker-hub", Self::docker_hub()),
            ("ecr", Self::ecr()),
            ("ecr-public", Self::ecr_public()),
            ("ghcr", Self::ghcr()),
            ("gitea", Self::gitea(GiteaChallenge::Bearer)),
            ("gitlab", Self::gitlab()),
            ("google", Self::google()),
            ("harbor", Self::harbor()),
            ("kubernetes", Self::kubernetes()),
            ("mcr", Self::mcr()),
            ("ngc", Self::ngc()),
            ("quay", Self::quay()),
            ("zot", Self::zot()),
            ("generic", Self::generic()),
        ]
    }

    /// Other versions and configurations of the same registries: profile, description and preset.
    pub fn variants() -> Vec<(&'static str, &'static str, Self)> {
        vec![
            ("artifactory", "in a path", Self::artifactory_by_path()),
            ("distribution", "open", Self::distribution(AuthMode::Open)),
            ("distribution", "htpasswd", Self::distribution(AuthMode::Htpasswd)),
            ("distribution", "version 2", Self::distribution(AuthMode::Token).version_2()),
            ("distribution", "no deletes", Self::distribution(AuthMode::Token).without_delete()),
            ("gitea", "bare challenge", Self::gitea(GiteaChallenge::Bare)),
            ("gitea", "two challenges", Self::gitea(GiteaChallenge::TwoLines)),
            ("gitea", "two in one line", Self::gitea(GiteaChallenge::OneLine)),
            ("google", "gcr.io", Self::gcr()),
            ("zot", "htpasswd", Self::zot_basic()),
            ("zot", "open in part", Self::zot_open_in_part()),
        ]
    }
}
