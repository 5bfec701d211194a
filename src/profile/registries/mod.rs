//! The profiles, one per file.

mod acr;
mod alibaba;
mod artifactory;
mod chainguard;
mod dhi;
mod digitalocean;
mod distribution;
mod docker_hub;
mod ecr;
mod ecr_public;
mod elastic;
mod generic;
mod ghcr;
mod gitea;
mod gitlab;
mod google;
mod harbor;
mod huawei;
mod ibm;
mod kubernetes;
mod mcr;
mod ngc;
mod oracle;
mod quay;
mod redhat;
mod scaleway;
mod scarf;
mod zot;

use super::{Profile, Uploads};
use acr::ACR;
use alibaba::ALIBABA;
use artifactory::ARTIFACTORY;
use chainguard::CHAINGUARD;
use dhi::DHI;
use digitalocean::DIGITALOCEAN;
use distribution::DISTRIBUTION;
use docker_hub::DOCKER_HUB;
use ecr::ECR;
use ecr_public::ECR_PUBLIC;
use elastic::ELASTIC;
use generic::GENERIC;
use ghcr::GHCR;
use gitea::GITEA;
use gitlab::GITLAB;
use google::GOOGLE;
use harbor::HARBOR;
use huawei::HUAWEI;
use ibm::IBM;
use kubernetes::KUBERNETES;
use mcr::MCR;
use ngc::NGC;
use oracle::ORACLE;
use quay::QUAY;
use redhat::REDHAT;
use scaleway::SCALEWAY;
use scarf::SCARF;
use zot::ZOT;

/// All profiles, sorted by name; the fallback comes last.
pub static ALL: &[Profile] = &[
    ACR,
    ALIBABA,
    ARTIFACTORY,
    CHAINGUARD,
    DHI,
    DIGITALOCEAN,
    DISTRIBUTION,
    DOCKER_HUB,
    ECR,
    ECR_PUBLIC,
    ELASTIC,
    GHCR,
    GITEA,
    GITLAB,
    GOOGLE,
    HARBOR,
    HUAWEI,
    IBM,
    KUBERNETES,
    MCR,
    NGC,
    ORACLE,
    QUAY,
    REDHAT,
    SCALEWAY,
    SCARF,
    ZOT,
    GENERIC,
];

/// The fallback's uploads, for profiles that change only some of the fields.
const ANY_UPLOAD: Uploads = GENERIC.uploads;
const MIB: u64 = 1024 * 1024;
