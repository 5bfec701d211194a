//! Gitea, Forgejo and Codeberg, section 15 of registries.md.

use std::sync::Arc;
use std::time::Duration;

use super::super::registry::Denial;
use super::super::reply::Reply;
use super::{Capabilities, Locations, Preset, Referrers, TokenFormat, TokenHost};

/// The challenges of different versions, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiteaChallenge {
    /// Bearer with only a realm, and a second line with the word Basic.
    Bare,
    /// Bearer with the scope `*`.
    Bearer,
    /// Bearer with the scope `*`, and Basic in a second line.
    TwoLines,
    /// Bearer and Basic in one line.
    OneLine,
}

impl Preset {
    pub fn gitea(challenge: GiteaChallenge) -> Self {
        let mut preset = Self::plain("gitea.test");
        preset.title_case_headers = true;
        preset.base_reply = Arc::new(|_| Reply::new(200));
        preset.access.accepts_basic = challenge != GiteaChallenge::Bearer;
        preset.access.reject = Arc::new(move |denial| reject(denial, challenge));
        preset.tokens.host = TokenHost::Registry;
        preset.tokens.path = "/v2/token".into();
        preset.tokens.service = Some("container_registry".to_owned());
        // Every request gets a token: its user's, or that of the anonymous user.
        preset.tokens.grant = Arc::new(|_| Ok(Vec::new()));
        preset.tokens.format = TokenFormat::UserJwt;
        preset.tokens.lifetime = Duration::from_secs(86_400);
        preset.tokens.reply_with_only("token");
        preset.tokens.post_rejection = Some(Reply::new(405));
        preset.lists.referrers = Referrers::Index;
        preset.push.locations = Locations::RelativeWithState;
        // Chunks with a Content-Range are accepted (go-gitea/gitea, routers/api/packages/container/container.go,
        // UploadBlob).
        let rejection = Reply::error(400, "BLOB_UPLOAD_INVALID", "Stream uploads after first write are not allowed");
        preset.push.patches.second_stream_rejection = Some(rejection);
        preset.capabilities =
            Capabilities { name_components: 2..=usize::MAX, referrers: true, ..Capabilities::plain() };
        preset
    }
}

fn reject(denial: &Denial<'_>, challenge: GiteaChallenge) -> Reply {
    let (realm, root) = (&denial.realm, &denial.request.registry.origins().registry);
    let both = r#"service="container_registry",scope="*""#;
    let bearer = format!(r#"Bearer realm="{realm}",{both}"#);
    let lines = match challenge {
        GiteaChallenge::Bare => vec![format!(r#"Bearer realm="{realm}""#), "Basic".to_owned()],
        GiteaChallenge::Bearer => vec![bearer],
        GiteaChallenge::TwoLines => vec![bearer, r#"Basic realm="Gitea Container Registry""#.to_owned()],
        GiteaChallenge::OneLine => vec![format!(r#"{bearer},Basic realm="{root}/v2",{both}"#)],
    };
    let reply = Reply::error(401, "UNAUTHORIZED", "authentication required");
    lines.iter().fold(reply, |reply, line| reply.append_header("www-authenticate", line))
}
