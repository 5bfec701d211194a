//! Azure Container Registry, section 4 of registries.md.

use std::sync::Arc;
use std::time::Duration;

use super::super::registry::{Ask, Denial, Policy, Route, Scope, Why, distribution_scopes};
use super::super::reply::Reply;
use super::distribution::detail;
use super::{Delivery, Hop, Length, Limit, Locations, Place, Preset, Referrers, TokenField, TokenPlace};

impl Preset {
    pub fn acr() -> Self {
        let mut preset = Self::plain("acr.test");
        preset.title_case = true;
        preset.policy = Policy::Users;
        // The admin user and service principals.
        preset.gate.basic = true;
        preset.gate.scopes = Arc::new(scopes);
        preset.gate.refuse = Arc::new(refuse);
        preset.tokens.place = TokenPlace::Registry;
        preset.tokens.path = "/oauth2/token".into();
        preset.tokens.wrong_login = unauthorized(&[]);
        // Azure/acr#104.
        preset.tokens.password_refused = Some(Reply::new(400));
        preset.tokens.lifetime = Duration::from_secs(4500);
        preset.tokens.expires_in = None;
        preset.tokens.issuer = "Azure Container Registry".into();
        preset.tokens.fields = vec![TokenField::Full("access_token")];
        preset.tokens.issued_at = false;
        preset.pull.blobs = Delivery::Redirect {
            hops: vec![Hop::new(307, Place::Blobs)],
            valid_for: Duration::from_secs(1200),
            head_allowed: true,
        };
        preset.lists.referrers = Referrers::Index;
        preset.push.locations = Locations::RelativeWithState;
        preset.push.parameters = &[("_nouploadcache", "false")];
        // goharbor/harbor#23015 and #23016: nginx in front counts megabytes of 1024 × 1024.
        let too_large = Reply::new(413).text("413 Request Entity Too Large - AzureContainerRegistry");
        preset.push.most_in_put = Some(Limit::new(20 << 20, too_large));
        // docker's stream without a Content-Range is taken, as far as is known.
        preset.push.patches.length = Length::WithRange;
        // dotnet/sdk-container-builds#258.
        preset.push.patches.range_malformed =
            Reply::error(400, "BLOB_UPLOAD_INVALID", "the Content-Range header format is invalid");
        preset
    }
}

/// Tags are metadata: `pull` does not reach them.
fn scopes(ask: &Ask<'_>) -> Vec<Scope> {
    match ask.route {
        Route::Tags { name } => vec![Scope::repository(name, &["metadata_read"])],
        _ => distribution_scopes(ask),
    }
}

/// The scheme changes with the request: a wrong Basic is asked for another Basic.
fn refuse(denial: &Denial<'_>) -> Reply {
    let reply = unauthorized(&denial.needs);
    if denial.why == Why::WrongPassword {
        return reply.header("www-authenticate", r#"Basic realm="Azure Container Registry""#);
    }
    let scopes: Vec<String> = denial.needs.iter().map(ToString::to_string).collect();
    let scope = (!scopes.is_empty()).then(|| scopes.join(" "));
    reply.header("www-authenticate", denial.bearer(scope.as_deref()))
}

fn unauthorized(needs: &[Scope]) -> Reply {
    let message = "authentication required, visit https://aka.ms/acr/authorization for more information.";
    Reply::error_detail(401, "UNAUTHORIZED", message, &detail(needs))
}
