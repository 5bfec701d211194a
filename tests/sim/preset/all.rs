//! Every registry, by the name of its profile in regpass.

use super::{AuthMode, GiteaChallenge, Hosted, Preset};

impl Preset {
    /// One preset for each profile, in alphabetical order; the generic one is the last.
    pub fn all() -> Vec<(&'static str, Self)> {
        vec![
            ("acr", Self::acr()),
            ("alibaba", Self::hosted(Hosted::Alibaba)),
            ("artifactory", Self::artifactory()),
            ("chainguard", Self::hosted(Hosted::Chainguard)),
            ("dhi", Self::hosted(Hosted::Dhi)),
            ("digitalocean", Self::hosted(Hosted::DigitalOcean)),
            ("distribution", Self::distribution(AuthMode::Token)),
            ("docker-hub", Self::docker_hub()),
            ("ecr", Self::ecr()),
            ("ecr-public", Self::ecr_public()),
            ("elastic", Self::hosted(Hosted::Elastic)),
            ("ghcr", Self::ghcr()),
            ("gitea", Self::gitea(GiteaChallenge::Bearer)),
            ("gitlab", Self::gitlab()),
            ("google", Self::google()),
            ("harbor", Self::harbor()),
            ("huawei", Self::hosted(Hosted::Huawei)),
            ("ibm", Self::hosted(Hosted::Ibm)),
            ("kubernetes", Self::kubernetes()),
            ("mcr", Self::mcr()),
            ("ngc", Self::ngc()),
            ("oracle", Self::hosted(Hosted::Oracle)),
            ("quay", Self::quay()),
            ("redhat", Self::hosted(Hosted::RedHat)),
            ("scaleway", Self::hosted(Hosted::Scaleway)),
            ("scarf", Self::scarf()),
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
            ("ecr", "with settings", Self::ecr_with_settings()),
            ("gitea", "bare challenge", Self::gitea(GiteaChallenge::Bare)),
            ("gitea", "two challenges", Self::gitea(GiteaChallenge::TwoLines)),
            ("gitea", "two in one line", Self::gitea(GiteaChallenge::OneLine)),
            ("google", "gcr.io", Self::gcr()),
            ("zot", "before 2.1.18", Self::zot_before_2_1_18()),
            ("zot", "htpasswd", Self::zot_basic()),
            ("zot", "open in part", Self::zot_open_in_part()),
        ]
    }
}
