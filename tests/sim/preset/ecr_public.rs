//! Amazon ECR Public, section 6 of registries.md, as far as logging in and pulling go.

use std::sync::Arc;
use std::time::Duration;

use super::super::registry::{Ask, Denial, Policy, Route, Why};
use super::super::reply::Reply;
use super::{Delivery, Hop, Mint, Place, Preset, TokenField, TokenPlace};

impl Preset {
    pub fn ecr_public() -> Self {
        let mut preset = Self::plain("ecr-public.test");
        preset.title_case = true;
        preset.policy = Policy::Users;
        preset.oddities = Arc::new(no_head_of_blobs);
        preset.gate.refuse = Arc::new(refuse);
        preset.tokens.place = TokenPlace::Registry;
        "/token/".clone_into(&mut preset.tokens.path);
        preset.tokens.service = Some("public.ecr.aws".to_owned());
        // Whoever has a token may do what its user may; what was asked for does not count.
        preset.tokens.grant = Arc::new(|_| Ok(Vec::new()));
        preset.tokens.mint = Mint::Unbound;
        preset.tokens.lifetime = Duration::from_secs(3600);
        preset.tokens.expires_in = None;
        preset.tokens.issued_at = false;
        preset.tokens.fields = vec![TokenField::Full("token")];
        preset.tokens.wrong_login = invalid();
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(307, Place::Blobs)],
            valid_for: Duration::from_secs(3600),
            head_allowed: true,
        };
        preset
    }
}

fn invalid() -> Reply {
    Reply::error(400, "DENIED", "Your Authorization Token is invalid.")
}

/// distribution/distribution#4383: a HEAD of a blob is refused whatever it carries.
fn no_head_of_blobs(ask: &Ask<'_>) -> Option<Reply> {
    let is_blob = matches!(ask.route, Route::Blob { .. });
    (is_blob && ask.entry.method == http::Method::HEAD).then(|| Reply::new(401))
}

/// Only a missing credential is challenged, and the scope of the challenge is a word.
fn refuse(denial: &Denial<'_>) -> Reply {
    match denial.why {
        Why::NoCredential => {
            Reply::error(401, "DENIED", "Not Authorized").header("www-authenticate", denial.bearer(Some("aws")))
        }
        Why::InsufficientScope => Reply::error(403, "DENIED", "not authorized"),
        _ => invalid(),
    }
}
