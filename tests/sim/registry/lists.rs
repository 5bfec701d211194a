//! Tags, catalog and referrers.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::content::media;
use super::super::preset::{LinkForm, Paging, Referrers, TooMany};
use super::super::query;
use super::super::reply::Reply;
use super::{Ask, Engine};

impl Engine {
    pub(super) fn tags(&self, ask: &Ask<'_>, name: &str) -> Reply {
        let paging = &ask.preset.lists.tags;
        let Some(mut tags) =
            self.store.read(name, |repository| repository.tags.iter().map(|(tag, _)| tag.clone()).collect::<Vec<_>>())
        else {
            return (ask.preset.lists.unknown)(ask);
        };
        if paging.sorted {
            tags.sort();
        }
        let more = ask.preset.lists.tags_more.as_ref().map_or_else(String::new, |more| more(ask));
        page(ask, paging, &tags, |tags| format!(r#"{{"name":"{name}","tags":{}{more}}}"#, json!(tags)))
    }

    pub(super) fn catalog(&self, ask: &Ask<'_>) -> Reply {
        match &ask.preset.lists.catalog {
            Some(paging) => {
                page(ask, paging, &self.store.names(), |names| format!(r#"{{"repositories":{}}}"#, json!(names)))
            }
            None => Reply::error(404, "UNSUPPORTED", "The operation is unsupported."),
        }
    }

    pub(super) fn referrers(&self, ask: &Ask<'_>, name: &str, digest: &str) -> Reply {
        match ask.preset.lists.referrers {
            Referrers::Missing => Reply::new(404).text("404 page not found\n"),
            // The digest is cut short in the one report there is (artifacthub/hub#4785).
            Referrers::GitHubPage => {
                let short = &digest[..digest.len().min(19)];
                Reply::redirect(
                    303,
                    &format!("https://github.com/-/v2/packages/container/package/{}%2F{short}", query::encode(name)),
                )
            }
            Referrers::Index => self.referrers_index(ask, name, digest),
        }
    }

    fn referrers_index(&self, ask: &Ask<'_>, name: &str, digest: &str) -> Reply {
        let wanted = ask.entry.query_value("artifactType");
        let refers = |document: &Value| {
            document["subject"]["digest"] == *digest
                && wanted.as_ref().is_none_or(|wanted| document["artifactType"] == **wanted)
        };
        let found = self.store.read(name, |repository| {
            let documents = repository.manifests.values().map(|manifest| (manifest, manifest.document()));
            let referring = documents.filter(|(_, document)| refers(document));
            referring
                .map(|(manifest, document)| {
                    json!({
                        "mediaType": manifest.media_type,
                        "digest": manifest.digest,
                        "size": manifest.bytes.len(),
                        "artifactType": document["artifactType"],
                    })
                })
                .collect::<Vec<_>>()
        });
        let index =
            json!({ "schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": found.unwrap_or_default() });
        let reply = Reply::new(200).body(media::OCI_INDEX, index.to_string());
        if wanted.is_some() { reply.header("oci-filters-applied", "artifactType") } else { reply }
    }
}

/// One page of a list, after `last`, with the link to the next.
fn page(ask: &Ask<'_>, paging: &Paging, all: &[String], document: impl Fn(&[String]) -> String) -> Reply {
    let asked = ask.entry.query_value("n");
    let n = match asked.as_deref().map(|asked| length(paging, asked)).transpose() {
        Err(refusal) => return refusal,
        // GHCR writes n=0 into its own links, so there it means the default.
        Ok(Some(0)) if paging.link == LinkForm::EchoesN => paging.default,
        Ok(n) => n.or(paging.default),
    };
    let last = match paging.link {
        LinkForm::Sealed => ask.entry.query_value("next_page").and_then(|cursor| unsealed(&cursor)),
        _ => ask.entry.query_value("last"),
    };
    if let (Some(refusal), Some(last)) = (paging.unknown_last, &last)
        && !all.contains(last)
    {
        return refusal();
    }
    let start = last.map_or(0, |last| position_after(all, &last, paging.sorted));
    let end = n.map_or(all.len(), |n| (start + n).min(all.len()));
    let reply = Reply::new(200).json(document(&all[start..end]));
    let reply = if paging.chunked { reply.chunked() } else { reply };
    if end == all.len() || end == start || paging.link == LinkForm::None {
        return reply;
    }
    let target = link(ask, paging.link, asked, end - start, &all[end - 1]);
    reply.header("link", format!(r#"<{target}>; rel="next""#))
}

/// How many the request's `n` wants.
fn length(paging: &Paging, asked: &str) -> Result<usize, Reply> {
    let n = asked.parse::<usize>().or_else(|_| (paging.malformed)(asked))?;
    match (paging.most, paging.too_many) {
        (Some(most), TooMany::Refused(refusal)) if n > most => Err(refusal(asked)),
        (Some(most), TooMany::Clamped) => Ok(n.clamp(1, most)),
        _ => Ok(n),
    }
}

/// Only what leads on survives: CNCF Distribution loses the other parameters as well.
fn link(ask: &Ask<'_>, form: LinkForm, asked: Option<String>, n: usize, last: &str) -> String {
    let (path, encoded) = (&ask.entry.path, query::encode(last));
    match form {
        LinkForm::EchoesN => format!("{path}?last={encoded}&n={}", asked.unwrap_or_else(|| "0".to_owned())),
        LinkForm::LeadsWithN => format!("{path}?n={n}&last={encoded}"),
        LinkForm::OrderBy => format!("{path}?last={encoded}&n={n}&orderby="),
        LinkForm::Unprefixed => {
            let rest = path.strip_prefix("/v2/").and_then(|name| name.split_once('/'));
            format!("/v2/{}?last={encoded}&n={n}", rest.map_or("_catalog", |(_, rest)| rest))
        }
        LinkForm::Sealed => format!("{}{path}?n={n}&next_page={}", ask.registry.origins().registry, sealed(last)),
        LinkForm::Relative | LinkForm::None => format!("{path}?last={encoded}&n={n}"),
    }
}

/// A cursor that tells clients nothing.
fn sealed(last: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(last.bytes().map(|byte| byte ^ 0xa5).collect::<Vec<u8>>())
}

fn unsealed(cursor: &str) -> Option<String> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    String::from_utf8(bytes.into_iter().map(|byte| byte ^ 0xa5).collect()).ok()
}

fn position_after(all: &[String], last: &str, sorted: bool) -> usize {
    if sorted {
        all.partition_point(|item| item.as_str() <= last)
    } else {
        all.iter().position(|item| item == last).map_or(0, |position| position + 1)
    }
}
