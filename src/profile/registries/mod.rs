//! The profiles, one per file.

mod acr;
mod artifactory;
mod distribution;
mod docker_hub;
mod ecr;
mod ecr_public;
mod generic;
mod ghcr;
mod gitea;
mod gitlab;
mod google;
mod harbor;
mod kubernetes;
mod mcr;
mod ngc;
mod quay;
mod zot;

use super::{Profile, Uploads};
use acr::ACR;
use artifactory::ARTIFACTORY;
use distribution::DISTRIBUTION;
use docker_hub::DOCKER_HUB;
use ecr::ECR;
use ecr_public::ECR_PUBLIC;
use generic::GENERIC;
use ghcr::GHCR;
use gitea::GITEA;
use gitlab::GITLAB;
use google::GOOGLE;
use harbor::HARBOR;
use kubernetes::KUBERNETES;
use mcr::MCR;
use ngc::NGC;
use quay::QUAY;
use zot::ZOT;

/// All profiles, sorted by name; the fallback comes last.
pub static ALL: &[Profile] = &[
    ACR,
    ARTIFACTORY,
    DISTRIBUTION,
    DOCKER_HUB,
    ECR,
    ECR_PUBLIC,
    GHCR,
    GITEA,
    GITLAB,
    GOOGLE,
    HARBOR,
    KUBERNETES,
    MCR,
    NGC,
    QUAY,
    ZOT,
    GENERIC,
];

/// The fallback's uploads, for profiles that change only some of the fields.
const ANY_UPLOAD: Uploads = GENERIC.uploads;
const MIB: u64 = 1024 * 1024;
