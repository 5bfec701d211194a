//! `POST …/uploads/?mount=DIGEST[&from=REPOSITORY]`.

use super::super::content::Blob;
use super::super::preset::{Source, WithoutFrom};
use super::super::reply::Reply;
use super::gate::{Caller, Why};
use super::scope::Scope;
use super::{Ask, Engine};

impl Engine {
    /// The answer to a mount; `None` where an upload session is the answer.
    pub(super) fn mount(&self, ask: &Ask<'_>, name: &str) -> Option<Reply> {
        let digest = ask.entry.query_value("mount")?;
        let mounts = &ask.preset.push.mounts;
        let Some(source) = ask.entry.query_value("from") else {
            return match &mounts.without_from {
                WithoutFrom::Ignored => None,
                WithoutFrom::Refused(refusal) => Some(refusal.clone()),
                WithoutFrom::Anywhere => {
                    let blob = self.store.names().iter().find_map(|source| self.mountable(ask, source, &digest));
                    blob.map(|blob| self.keep(ask.preset, name, blob))
                }
            };
        };
        match mounts.source {
            Source::Never => None,
            Source::Challenged if !self.store.exists(&source) => {
                let needs = vec![Scope::repository(name, &["pull", "push"]), Scope::repository(&source, &["pull"])];
                Some(self.refusal(ask, Why::InsufficientScope, needs))
            }
            Source::Scoped | Source::Challenged | Source::Optional => {
                self.mountable(ask, &source, &digest).map(|blob| self.keep(ask.preset, name, blob))
            }
        }
    }

    /// The blob, if the caller may read it there.
    fn mountable(&self, ask: &Ask<'_>, source: &str, digest: &str) -> Option<Blob> {
        let blob = self.store.read(source, |source| source.blobs.get(digest).cloned())??;
        let pull = Scope::repository(source, &["pull"]);
        let caller = ask.caller.as_ref().ok()?;
        let open = ask.preset.gate.open && matches!(caller, Caller::Anonymous);
        (open || self.holds(ask.preset, caller, &pull)).then_some(blob)
    }
}
