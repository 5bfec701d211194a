//! Every registry, by the name of its profile.

use super::{Mode, Offers, Preset};

impl Preset {
    /// One preset for each profile, in the alphabet's order, the catch-all last.
    pub fn all() -> Vec<(&'static str, Self)> {
        vec![
            ("acr", Self::acr()),
            ("artifactory", Self::artifactory()),
            ("distribution", Self::distribution(Mode::Token)),
            ("docker-hub", Self::docker_hub()),
            ("ecr", Self::ecr()),
            ("ecr-public", Self::ecr_public()),
            ("ghcr", Self::ghcr()),
            ("gitea", Self::gitea(Offers::Bearer)),
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

    /// The same registries as they also are: other versions, other ways to set them up.
    pub fn variants() -> Vec<(&'static str, Self)> {
        vec![
            ("artifactory", Self::artifactory_by_path()),
            ("distribution", Self::distribution(Mode::Open)),
            ("distribution", Self::distribution(Mode::Htpasswd)),
            ("distribution", Self::distribution(Mode::Token).without_delete()),
            ("gitea", Self::gitea(Offers::Bare)),
            ("gitea", Self::gitea(Offers::TwoLines)),
            ("gitea", Self::gitea(Offers::OneLine)),
            ("google", Self::gcr()),
            ("zot", Self::zot_basic()),
            ("zot", Self::zot_open_in_part()),
        ]
    }
}
