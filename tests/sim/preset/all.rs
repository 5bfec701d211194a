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

    /// The same registries as they also are, in a word or two: other versions, other ways to set them up.
    pub fn variants() -> Vec<(&'static str, &'static str, Self)> {
        vec![
            ("artifactory", "in a path", Self::artifactory_by_path()),
            ("distribution", "open", Self::distribution(Mode::Open)),
            ("distribution", "htpasswd", Self::distribution(Mode::Htpasswd)),
            ("distribution", "no deletes", Self::distribution(Mode::Token).without_delete()),
            ("gitea", "bare challenge", Self::gitea(Offers::Bare)),
            ("gitea", "two challenges", Self::gitea(Offers::TwoLines)),
            ("gitea", "two in one line", Self::gitea(Offers::OneLine)),
            ("google", "gcr.io", Self::gcr()),
            ("zot", "htpasswd", Self::zot_basic()),
            ("zot", "open in part", Self::zot_open_in_part()),
        ]
    }
}
