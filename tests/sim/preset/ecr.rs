//! Amazon ECR, private, section 5 of registries.md. The login is `AWS` with a password of twelve hours, which is given
//! with [`user`](super::super::Registry::user) and ended by another one, or lent by [`Aws`](super::super::Aws).

use std::sync::Arc;
use std::time::Duration;

use super::super::registry::{Denial, Policy, Why};
use super::super::reply::Reply;
use super::{Abilities, Catalog, Delivery, Expiry, Hop, Paging, Place, Preset, Referrers, Shown, Source, TooMany};

impl Preset {
    pub fn ecr() -> Self {
        let mut preset = Self::plain("ecr.test");
        preset.title_case = true;
        preset.policy = Policy::Users;
        preset.gate.basic = true;
        preset.gate.password_lifetime = Some(Duration::from_secs(43_200));
        preset.gate.refuse = Arc::new(refuse);
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(307, Place::Blobs)],
            valid_for: Duration::from_secs(3600),
            head_allowed: true,
        };
        let paging = Paging { most: Some(1000), too_many: TooMany::Refused(too_many), ..Paging::plain() };
        preset.lists.tags = paging;
        preset.lists.catalog = Some(paging);
        preset.lists.referrers = Referrers::Index;
        // aws/containers-roadmap#2831 and regclient's comment on the status.
        preset.push.patches.status = 201;
        preset.push.patches.range_stuck = true;
        // Needs an account setting, and a manifest in the source.
        preset.push.mounts.source = Source::Never;
        let missing = "The repository does not exist in the registry";
        preset.push.must_exist = Some(Reply::error(404, "NAME_UNKNOWN", missing));
        preset.can = Abilities {
            login: Some(("AWS", "a password of twelve hours")),
            shown: Shown::Basic,
            anonymous: false,
            creates: false,
            catalog: Catalog::Login,
            referrers: true,
            expiry: Some(Expiry::Denied403),
            ..Abilities::plain()
        };
        preset
    }
}

/// renovatebot/renovate, google/go-containerregistry#681 and #1091; what stands before the last sentence is not on record.
pub(super) fn too_many(asked: &str) -> Reply {
    let message = format!(
        "Invalid parameter at 'maxResults' failed to satisfy constraint: '{asked}': Member must have value less than or equal to 1000"
    );
    Reply::error(405, "UNSUPPORTED", &message)
}

/// S3 to a signed request with Authorization (open-policy-agent/opa#6580).
pub(super) fn one_mechanism() -> Reply {
    let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified";
    Reply::new(400).xml(&format!("<Error><Code>InvalidArgument</Code><Message>{message}</Message></Error>"))
}

/// Only a missing credential is challenged. The realm is the registry itself, and no token service.
fn refuse(denial: &Denial<'_>) -> Reply {
    match denial.why {
        Why::NoCredential => {
            let realm = &denial.ask.registry.origins().registry;
            let challenge = format!(r#"Basic realm="{realm}/",service="ecr.amazonaws.com""#);
            Reply::new(401).text("Not Authorized\n").header("www-authenticate", challenge)
        }
        _ => Reply::error(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again."),
    }
}
