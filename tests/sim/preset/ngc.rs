//! NVIDIA NGC, section 8 of registries.md. Writes are not on record and refused.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::json;

use super::super::registry::{Ask, Denial, Policy, Scope, TokenAsk, Why};
use super::super::reply::Reply;
use super::{Abilities, Catalog, Delivery, Expiry, Hop, Other, Place, Preset, TokenField, TokenPlace, ecr};

/// The token service that challenges name after expiry.
const AUTHN: &str = "authn";

impl Preset {
    pub fn ngc() -> Self {
        let mut preset = Self::plain("ngc.test");
        preset.title_case = true;
        preset.policy = Policy::Users;
        preset.oddities = Arc::new(read_only);
        preset.gate.refuse = Arc::new(refuse);
        preset.tokens.place = TokenPlace::Registry;
        preset.tokens.path = "/proxy_auth".into();
        // None is named, so none may be sent.
        preset.tokens.service = Some(String::new());
        preset.tokens.grant = Arc::new(grant);
        preset.tokens.wrong_login = Reply::nginx(401, "401 Authorization Required");
        // With which status is not on record.
        preset.tokens.post_refused = Some(Reply::nginx(401, "401 Authorization Required"));
        preset.tokens.lifetime = Duration::from_secs(600);
        preset.tokens.expires_in = None;
        preset.tokens.issuer = "authn.nvidia.com".into();
        preset.tokens.claims = Some(Arc::new(|claims| claims["aud"] = json!("registry")));
        preset.tokens.fields = vec![TokenField::Full("token")];
        preset.tokens.issued_at = false;
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(307, Place::Blobs)],
            valid_for: Duration::from_secs(600),
            head_allowed: false,
        };
        preset.pull.heads_stay = true;
        preset.lists.tags.default = Some(100);
        preset.lists.catalog = None;
        preset.others = vec![Other { name: AUTHN, prefix: "", trusted: true, preset: authn(&preset) }];
        preset.can = Abilities {
            login: Some(("$oauthtoken", "nvapi-key")),
            parts: 2..=3,
            public: "nvidia/cuda",
            private: "acme/team/model",
            catalog: Catalog::Never,
            expiry: Some(Expiry::OtherRealm),
            ..Abilities::plain()
        }
        .read_only();
        preset
    }
}

/// For logins only.
fn authn(preset: &Preset) -> Preset {
    let mut preset = preset.clone();
    preset.tokens.path = "/token".into();
    preset.tokens.service = Some("registry".to_owned());
    preset.tokens.grant = Arc::new(|ask| match ask.user {
        Some(_) => grant(ask),
        None => Err(Reply::error(401, "UNAUTHORIZED", "authentication required")),
    });
    preset
}

fn read_only(ask: &Ask<'_>) -> Option<Reply> {
    let reads = matches!(ask.entry.method, Method::GET | Method::HEAD);
    (!reads).then(|| Reply::error(405, "UNSUPPORTED", "The operation is unsupported."))
}

/// No service; a token whose time is over is sent to another realm.
fn refuse(denial: &Denial<'_>) -> Reply {
    let scope = denial.scope().map_or_else(String::new, |scope| format!(r#",scope="{scope}""#));
    let challenge = match denial.why {
        Why::StaleToken | Why::UnknownToken => {
            let realm = format!("{}/token", denial.ask.registry.origins().other(AUTHN));
            format!(r#"Bearer realm="{realm}",service="registry"{scope},error="invalid_token""#)
        }
        _ => format!(r#"Bearer realm="{}"{scope}"#, denial.realm),
    };
    Reply::nginx(401, "401 Authorization Required").header("www-authenticate", challenge)
}

/// One repository a call, and all of it.
fn grant(ask: &TokenAsk<'_>) -> Result<Vec<Scope>, Reply> {
    if ask.scopes.len() > 1 {
        return Err(Reply::error(400, "UNSUPPORTED", "more than one scope"));
    }
    let wanted: Vec<Scope> = ask.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect();
    if wanted == ask.reduced() { Ok(wanted) } else { Err(Reply::error(403, "DENIED", "Access Denied")) }
}
