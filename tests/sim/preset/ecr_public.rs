//! Amazon ECR Public, section 6 of registries.md. Its replies to pushes are not documented; the simulation sends those
//! of ECR.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use serde_json::json;

use super::super::registry::{ApiRequest, Denial, DenialReason, Policy};
use super::super::reply::Reply;
use super::super::route::Route;
use super::{Capabilities, Catalog, Delivery, ExpiryReply, Preset, Referrers, TokenFormat, TokenHost, ecr};

impl Preset {
    pub fn ecr_public() -> Self {
        let ecr = Self::ecr();
        let mut preset = Self::plain("ecr-public.test");
        preset.title_case_headers = true;
        preset.policy = Policy::Users;
        preset.early_reply = Arc::new(deny_head_of_blobs);
        preset.access.reject = Arc::new(reject);
        preset.tokens.host = TokenHost::Registry;
        preset.tokens.path = "/token/".into();
        preset.tokens.service = Some("public.ecr.aws".to_owned());
        // A token grants everything its user may do, whatever was requested.
        preset.tokens.grant = Arc::new(|_| Ok(Vec::new()));
        preset.tokens.format = TokenFormat::UserOpaque;
        preset.tokens.opaque_token = opaque;
        preset.tokens.lifetime = Duration::from_secs(3600);
        preset.tokens.reply_with_only("token");
        preset.tokens.bad_credential_reply = invalid();
        preset.tokens.post_rejection = Some(Reply::new(405));
        preset.pull.blobs = Delivery::to_blob_store(307, Duration::from_secs(3600));
        preset.lists.tags = ecr.lists.tags;
        preset.lists.catalog = None;
        preset.lists.referrers = Referrers::Index;
        preset.push = ecr.push;
        preset.capabilities = Capabilities {
            credential: Some(("AWS", "a password of twelve hours")),
            push_creates_repository: false,
            catalog: Catalog::Unsupported,
            referrers: true,
            name_components: 2..=usize::MAX,
            expiry: Some(ExpiryReply::Denied400),
            ..Capabilities::plain()
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

/// ECR Public's 401, whose body has 58 bytes with the newline.
fn unauthorized(challenge: &str) -> Reply {
    Reply::error(401, "DENIED", "Not Authorized").header("www-authenticate", challenge)
}

/// Denies HEAD of a blob, whatever the credential (distribution/distribution#4383).
fn deny_head_of_blobs(request: &ApiRequest<'_>) -> Option<Reply> {
    let is_blob = matches!(request.route, Route::Blob { .. });
    (is_blob && request.entry.method == Method::HEAD)
        .then(|| request.registry.denial_reply(request, DenialReason::NoCredential, Vec::new()))
}

/// Only a missing credential gets a challenge, whose scope is the word `aws`.
fn reject(denial: &Denial<'_>) -> Reply {
    match denial.reason {
        DenialReason::NoCredential => unauthorized(&denial.bearer_challenge(Some("aws"))),
        DenialReason::InsufficientScope => Reply::error(403, "DENIED", "not authorized"),
        _ => invalid(),
    }
}
