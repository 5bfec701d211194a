//! Amazon ECR, private, section 5 of registries.md. The user is `AWS`, with a password that is valid for twelve hours. A test
//! sets it with [`add_user`](super::super::Registry::add_user), or [`Aws`](super::super::Aws) issues it.

use std::sync::Arc;
use std::time::Duration;

use super::super::registry::{Denial, DenialReason, Policy};
use super::super::reply::Reply;
use super::{
    AuthKind, Capabilities, Catalog, Delivery, ExpiryReply, MountSource, NTooLarge, Paging, Preset, Referrers,
};

impl Preset {
    pub fn ecr() -> Self {
        let mut preset = Self::plain("ecr.test");
        preset.title_case_headers = true;
        preset.policy = Policy::Users;
        preset.access.accepts_basic = true;
        preset.access.password_lifetime = Some(Duration::from_secs(43_200));
        preset.access.reject = Arc::new(reject);
        preset.pull.blobs = Delivery::to_blob_store(307, Duration::from_secs(3600));
        let paging = Paging { max_n: Some(1000), n_too_large: NTooLarge::Rejected(too_many), ..Paging::plain() };
        preset.lists.tags = paging;
        preset.lists.catalog = Some(paging);
        preset.lists.referrers = Referrers::Index;
        // The status of a PATCH and its `Range`: aws/containers-roadmap#2831, and regclient's comment on the status.
        preset.push.patches.status = 201;
        preset.push.patches.range_stays_at_first_chunk = true;
        // ECR mounts only with an account setting and a manifest in the source repository; the simulation never does.
        preset.push.mounts.source = MountSource::Never;
        let missing = "The repository does not exist in the registry";
        preset.push.unknown_repository_reply = Some(Reply::error(404, "NAME_UNKNOWN", missing));
        preset.capabilities = Capabilities {
            credential: Some(("AWS", "a password of twelve hours")),
            auth_kind: AuthKind::Basic,
            anonymous_pull: false,
            push_creates_repository: false,
            catalog: Catalog::AnyUser,
            referrers: true,
            expiry: Some(ExpiryReply::Denied403),
            ..Capabilities::plain()
        };
        preset
    }

    /// With a creation template for pushes (hashicorp/terraform-provider-aws#45701) and with mounts switched on: a blob is
    /// mounted once a manifest of its repository refers to it (aws/containers-roadmap#2860).
    pub fn ecr_with_settings() -> Self {
        let mut preset = Self::ecr();
        preset.push.mounts.source = MountSource::Referenced;
        preset.push.unknown_repository_reply = None;
        preset.capabilities.push_creates_repository = true;
        preset
    }
}

/// The reply to an `n` above 1000: renovatebot/renovate, google/go-containerregistry#681 and #1091. Only its last clause is
/// documented.
pub(super) fn too_many(n: &str) -> Reply {
    let message = format!(
        "Invalid parameter at 'maxResults' failed to satisfy constraint: '{n}': Member must have value less than or equal to 1000"
    );
    Reply::error(405, "UNSUPPORTED", &message)
}

/// The reply of S3 to a signed request with an Authorization header (open-policy-agent/opa#6580).
pub(super) fn one_mechanism() -> Reply {
    let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified";
    Reply::new(400).xml(&format!("<Error><Code>InvalidArgument</Code><Message>{message}</Message></Error>"))
}

/// Only a missing credential gets a challenge. Its realm is the registry itself, not a token service.
fn reject(denial: &Denial<'_>) -> Reply {
    match denial.reason {
        DenialReason::NoCredential => {
            let realm = &denial.request.registry.origins().registry;
            let challenge = format!(r#"Basic realm="{realm}/",service="ecr.amazonaws.com""#);
            Reply::new(401).text("Not Authorized\n").header("www-authenticate", challenge)
        }
        _ => Reply::error(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again."),
    }
}
