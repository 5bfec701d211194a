//! Gitea, Forgejo and Codeberg, section 15 of registries.md.

use std::sync::Arc;
use std::time::Duration;

use super::super::registry::Denial;
use super::super::reply::Reply;
use super::{Abilities, Locations, Mint, Preset, Referrers, TokenField, TokenPlace};

/// The challenges that were seen, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offers {
    /// Bearer with nothing but a realm, and in a second line the word Basic.
    Bare,
    /// Bearer with the scope `*`.
    Bearer,
    /// The same, and Basic in a second line.
    TwoLines,
    /// Both in one line.
    OneLine,
}

impl Preset {
    pub fn gitea(offers: Offers) -> Self {
        let mut preset = Self::plain("gitea.test");
        preset.title_case = true;
        preset.base = Arc::new(|_| Reply::new(200));
        preset.gate.basic = offers != Offers::Bearer;
        preset.gate.refuse = Arc::new(move |denial| refuse(denial, offers));
        preset.tokens.place = TokenPlace::Registry;
        preset.tokens.path = "/v2/token".into();
        preset.tokens.service = Some("container_registry".to_owned());
        // What is asked for does not count; nobody gets the token of a ghost.
        preset.tokens.grant = Arc::new(|_| Ok(Vec::new()));
        preset.tokens.mint = Mint::JwtOfUser;
        preset.tokens.lifetime = Duration::from_secs(86_400);
        preset.tokens.expires_in = None;
        preset.tokens.fields = vec![TokenField::Full("token")];
        preset.tokens.issued_at = false;
        preset.tokens.post_refused = Some(Reply::new(405));
        preset.lists.referrers = Referrers::Index;
        preset.push.locations = Locations::RelativeWithState;
        // go-gitea/gitea, routers/api/packages/container/container.go, UploadBlob: chunks that tell their range go on.
        let refusal = Reply::error(400, "BLOB_UPLOAD_INVALID", "Stream uploads after first write are not allowed");
        preset.push.patches.second_stream = Some(refusal);
        preset.can = Abilities { parts: 2..=usize::MAX, referrers: true, ..Abilities::plain() };
        preset
    }
}

fn refuse(denial: &Denial<'_>, offers: Offers) -> Reply {
    let (realm, root) = (&denial.realm, &denial.ask.registry.origins().registry);
    let both = r#"service="container_registry",scope="*""#;
    let bearer = format!(r#"Bearer realm="{realm}",{both}"#);
    let lines = match offers {
        Offers::Bare => vec![format!(r#"Bearer realm="{realm}""#), "Basic".to_owned()],
        Offers::Bearer => vec![bearer],
        Offers::TwoLines => vec![bearer, r#"Basic realm="Gitea Container Registry""#.to_owned()],
        Offers::OneLine => vec![format!(r#"{bearer},Basic realm="{root}/v2",{both}"#)],
    };
    let reply = Reply::error(401, "UNAUTHORIZED", "authentication required");
    lines.iter().fold(reply, |reply, line| reply.line("www-authenticate", line))
}
