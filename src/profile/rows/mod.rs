//! The rows, one registry a file.

mod acr;
mod artifactory;
mod distribution;
mod docker_hub;
mod ecr;
mod generic;
mod ghcr;
mod google;
mod harbor;
mod quay;

use super::{Profile, Uploads};
use acr::ACR;
use artifactory::ARTIFACTORY;
use distribution::DISTRIBUTION;
use docker_hub::DOCKER_HUB;
use ecr::ECR;
use generic::GENERIC;
use ghcr::GHCR;
use google::GOOGLE;
use harbor::HARBOR;
use quay::QUAY;

/// Every row, the fallback last.
pub static ALL: &[Profile] = &[ACR, ARTIFACTORY, DISTRIBUTION, DOCKER_HUB, ECR, GHCR, GOOGLE, HARBOR, QUAY, GENERIC];

/// What a row starts from whose registry does not take uploads in every way.
const ANY_UPLOAD: Uploads = GENERIC.uploads;
const MIB: u64 = 1024 * 1024;
