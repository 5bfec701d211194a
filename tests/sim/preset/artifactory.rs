//! Artifactory, one Docker repository under its own host (`REPO.HOST`), section 9 of registries.md.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::super::registry::{Denial, Policy};
use super::super::reply::Reply;
use super::{Limit, Mint, Preset, SinglePost, TokenField, TokenPlace};

const HEADERS: &[(&str, &str)] =
    &[("docker-distribution-api-version", "registry/2.0"), ("x-jfrog-version", "Artifactory/7.111.4 81104900")];

impl Preset {
    pub fn artifactory() -> Self {
        let mut preset = Self::plain("docker-local.test");
        preset.title_case = true;
        preset.headers = HEADERS;
        preset.policy = Policy::Users;
        preset.gate.basic = true;
        preset.gate.refuse = Arc::new(refuse);
        preset.tokens.place = TokenPlace::Registry;
        preset.tokens.path = "/artifactory/api/docker/docker-local/v2/token".into();
        preset.tokens.headers = HEADERS;
        preset.tokens.post_refused = Some(Reply::error(401, "UNAUTHORIZED", "authentication required"));
        preset.tokens.mint = Mint::Opaque;
        preset.tokens.lifetime = Duration::from_secs(3600);
        preset.tokens.expires_in = Some(3600);
        preset.tokens.fields = vec![TokenField::Full("token")];
        preset.tokens.issued_at = false;
        // POST, PATCH, empty PUT: nothing else (RTFACT-19344); how it is refused is not on record.
        let monolithic = Reply::error(400, "UNSUPPORTED", "monolithic uploads are not supported");
        preset.push.most_in_put = Some(Limit::new(0, monolithic.clone()));
        preset.push.single_post = SinglePost::Refused(monolithic);
        preset
    }
}

/// HEAD is challenged without a scope (RTFACT-20170).
fn refuse(denial: &Denial<'_>) -> Reply {
    let scopes: Vec<String> = denial.needs.iter().map(ToString::to_string).collect();
    let named = denial.ask.entry.method != Method::HEAD && !scopes.is_empty();
    let mut challenge = format!(r#"Bearer realm="{}",service="{}""#, denial.realm, denial.service);
    if named {
        challenge.extend([r#",scope=""#, &scopes.join(" "), r#"""#]);
    }
    Reply::error(401, "UNAUTHORIZED", "The client does not have permission to the requested resource.")
        .header("content-type", "application/json;charset=ISO-8859-1")
        .header("www-authenticate", challenge)
}
