//! Amazon ECR Public, section 6 of registries.md. Pushes as ECR takes them: nothing else is on record.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use serde_json::json;

use super::super::registry::{Ask, Denial, Policy, Route, Why};
use super::super::reply::Reply;
use super::{Abilities, Catalog, Delivery, Expiry, Hop, Mint, Place, Preset, Referrers, TokenField, TokenPlace, ecr};

impl Preset {
    pub fn ecr_public() -> Self {
        let ecr = Self::ecr();
        let mut preset = Self::plain("ecr-public.test");
        preset.title_case = true;
        preset.policy = Policy::Users;
        preset.oddities = Arc::new(no_head_of_blobs);
        preset.gate.refuse = Arc::new(refuse);
        preset.tokens.place = TokenPlace::Registry;
        preset.tokens.path = "/token/".into();
        preset.tokens.service = Some("public.ecr.aws".to_owned());
        // Whoever has a token may do what its user may; what was asked for does not count.
        preset.tokens.grant = Arc::new(|_| Ok(Vec::new()));
        preset.tokens.mint = Mint::Unbound;
        preset.tokens.opaque = opaque;
        preset.tokens.lifetime = Duration::from_secs(3600);
        preset.tokens.expires_in = None;
        preset.tokens.issued_at = false;
        preset.tokens.fields = vec![TokenField::Full("token")];
        preset.tokens.wrong_login = invalid();
        preset.tokens.post_refused = Some(Reply::new(405));
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(307, Place::Blobs)],
            valid_for: Duration::from_secs(3600),
            head_allowed: true,
        };
        preset.lists.tags = ecr.lists.tags;
        preset.lists.catalog = None;
        preset.lists.referrers = Referrers::Index;
        preset.push = ecr.push;
        preset.can = Abilities {
            login: Some(("AWS", "a password of twelve hours")),
            creates: false,
            catalog: Catalog::Never,
            referrers: true,
            parts: 2..=usize::MAX,
            expiry: Some(Expiry::Denied400),
            ..Abilities::plain()
        };
        preset
    }
}

fn opaque(number: usize, expires: u64) -> String {
    let payload = BASE64_STANDARD.encode(format!("encrypted payload {number}"));
    BASE64_STANDARD.encode(json!({ "payload": payload, "expiration": expires, "type": "DATA_KEY" }).to_string())
}

fn invalid() -> Reply {
    Reply::error(400, "DENIED", "Your Authorization Token is invalid.")
}

/// 58 bytes, with a challenge whose scope is a word.
fn unauthorized(challenge: &str) -> Reply {
    Reply::error(401, "DENIED", "Not Authorized").header("www-authenticate", challenge)
}

/// distribution/distribution#4383: a HEAD of a blob is refused whatever it carries.
fn no_head_of_blobs(ask: &Ask<'_>) -> Option<Reply> {
    let is_blob = matches!(ask.route, Route::Blob { .. });
    (is_blob && ask.entry.method == Method::HEAD).then(|| ask.registry.refusal(ask, Why::NoCredential, Vec::new()))
}

/// Only a missing credential is challenged.
fn refuse(denial: &Denial<'_>) -> Reply {
    match denial.why {
        Why::NoCredential => unauthorized(&denial.bearer(Some("aws"))),
        Why::InsufficientScope => Reply::error(403, "DENIED", "not authorized"),
        _ => invalid(),
    }
}
