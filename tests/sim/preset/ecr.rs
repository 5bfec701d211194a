//! Amazon ECR, private, section 5 of registries.md. The login is `AWS` with a password of twelve hours, which is given
//! with [`user`](super::super::Registry::user) and expires with another one, or lent by [`Aws`](super::super::Aws).

use std::sync::Arc;
use std::time::Duration;

use super::super::registry::{Denial, Policy, Why};
use super::super::reply::Reply;
use super::{Delivery, Hop, Place, Preset, Referrers, Source};

impl Preset {
    pub fn ecr() -> Self {
        let mut preset = Self::plain("ecr.test");
        preset.title_case = true;
        preset.policy = Policy::Users;
        preset.gate.basic = true;
        preset.gate.refuse = Arc::new(refuse);
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(307, Place::Blobs)],
            valid_for: Duration::from_secs(3600),
            head_allowed: true,
        };
        preset.lists.referrers = Referrers::Index;
        // aws/containers-roadmap#2831 and regclient's comment on the status.
        preset.push.patches.status = 201;
        preset.push.patches.range_stuck = true;
        // Needs an account setting, and a manifest in the source.
        preset.push.mounts.source = Source::Never;
        let missing = "The repository does not exist in the registry";
        preset.push.must_exist = Some(Reply::error(404, "NAME_UNKNOWN", missing));
        preset
    }
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
