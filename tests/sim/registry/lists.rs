//! Replies to lists: tags, catalog and referrers.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::content::media;
use super::super::preset::{LinkForm, NTooLarge, Paging, Referrers};
use super::super::query;
use super::super::reply::Reply;
use super::{ApiRequest, Engine};

impl Engine {
    pub(super) fn tags(&self, request: &ApiRequest<'_>, name: &str) -> Reply {
        let paging = &request.preset.lists.tags;
        let Some(mut tags) =
            self.store.read(name, |repository| repository.tags.iter().map(|(tag, _)| tag.clone()).collect::<Vec<_>>())
        else {
            return (request.preset.lists.unknown_repository)(request);
        };
        if paging.sorted {
            tags.sort();
        }
        let more = request.preset.lists.extra_tag_members.as_ref().map_or_else(String::new, |more| more(request));
        page(request, paging, &tags, |tags| format!(r#"{{"name":"{name}","tags":{}{more}}}"#, json!(tags)))
    }

    pub(super) fn catalog(&self, request: &ApiRequest<'_>) -> Reply {
        match &request.preset.lists.catalog {
            Some(paging) => {
                page(request, paging, &self.store.names(), |names| format!(r#"{{"repositories":{}}}"#, json!(names)))
            }
            None => Reply::error(404, "UNSUPPORTED", "The operation is unsupported."),
        }
    }

    pub(super) fn referrers(&self, request: &ApiRequest<'_>, name: &str, digest: &str) -> Reply {
        match request.preset.lists.referrers {
            Referrers::Missing => Reply::page_not_found(),
            // The digest is truncated in the only report (artifacthub/hub#4785).
            Referrers::GitHubPage => {
                let short = &digest[..digest.len().min(19)];
                Reply::redirect(
                    303,
                    &format!("https://github.com/-/v2/packages/container/package/{}%2F{short}", query::encode(name)),
                )
            }
            Referrers::Index => self.referrers_index(request, name, digest),
        }
    }

    fn referrers_index(&self, request: &ApiRequest<'_>, name: &str, digest: &str) -> Reply {
        let artifact_type = request.entry.query_value("artifactType");
        let refers = |document: &Value| {
            document["subject"]["digest"] == *digest
                && artifact_type.as_ref().is_none_or(|wanted| *artifact_type_of(document) == **wanted)
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
                        "artifactType": artifact_type_of(&document),
                    })
                })
                .collect::<Vec<_>>()
        });
        let index =
            json!({ "schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": found.unwrap_or_default() });
        let reply = Reply::new(200).body(media::OCI_INDEX, index.to_string());
        if artifact_type.is_some() { reply.header("oci-filters-applied", "artifactType") } else { reply }
    }
}

/// The media type of the configuration is the type of an artifact that names none (distribution-spec, listing referrers).
fn artifact_type_of(manifest: &Value) -> &Value {
    let own = &manifest["artifactType"];
    if own.is_null() { &manifest["config"]["mediaType"] } else { own }
}

/// One page of a list, after `last`, with the link to the next page.
fn page(request: &ApiRequest<'_>, paging: &Paging, all: &[String], document: impl Fn(&[String]) -> String) -> Reply {
    let requested_n = request.entry.query_value("n");
    let n = match requested_n.as_deref().map(|requested_n| page_len(paging, requested_n)).transpose() {
        Err(rejection) => return rejection,
        // GHCR writes n=0 into its own links, where it means the default.
        Ok(Some(0)) if paging.link == LinkForm::RequestedN => paging.default_n,
        Ok(n) => n.or(paging.default_n),
    };
    let last = match paging.link {
        LinkForm::OpaqueCursor => request.entry.query_value("next_page").and_then(|cursor| decode_cursor(&cursor)),
        _ => request.entry.query_value("last"),
    };
    if let (Some(rejection), Some(last)) = (paging.unknown_last, &last)
        && !all.contains(last)
    {
        return rejection();
    }
    let start = last.map_or(0, |last| position_after(all, &last, paging.sorted));
    let end = n.map_or(all.len(), |n| (start + n).min(all.len()));
    let reply = Reply::new(200).json(document(&all[start..end]));
    let reply = if paging.chunked { reply.chunked() } else { reply };
    if end == all.len() || end == start || paging.link == LinkForm::None {
        return reply;
    }
    let target = link(request, paging.link, requested_n, end - start, &all[end - 1]);
    reply.header("link", format!(r#"<{target}>; rel="next""#))
}

/// The page length for the request's `n`.
fn page_len(paging: &Paging, requested_n: &str) -> Result<usize, Reply> {
    let n = requested_n.parse::<usize>().or_else(|_| (paging.n_malformed)(requested_n))?;
    match (paging.max_n, paging.n_too_large) {
        (Some(max), NTooLarge::Rejected(rejection)) if n > max => Err(rejection(requested_n)),
        (Some(max), NTooLarge::Clamped) => Ok(n.clamp(1, max)),
        _ => Ok(n),
    }
}

/// The link to the next page. Other parameters of the request are lost, as with CNCF Distribution.
fn link(request: &ApiRequest<'_>, form: LinkForm, requested_n: Option<String>, n: usize, last: &str) -> String {
    let (path, encoded) = (&request.entry.path, query::encode(last));
    match form {
        LinkForm::RequestedN => format!("{path}?last={encoded}&n={}", requested_n.unwrap_or_else(|| "0".to_owned())),
        LinkForm::NFirst => format!("{path}?n={n}&last={encoded}"),
        LinkForm::OrderBy => format!("{path}?last={encoded}&n={n}&orderby="),
        LinkForm::WithoutFirstComponent => {
            let rest = path.strip_prefix("/v2/").and_then(|name| name.split_once('/'));
            format!("/v2/{}?last={encoded}&n={n}", rest.map_or("_catalog", |(_, rest)| rest))
        }
        LinkForm::OpaqueCursor => {
            format!("{}{path}?n={n}&next_page={}", request.registry.origins().registry, opaque_cursor(last))
        }
        LinkForm::Relative | LinkForm::None => format!("{path}?last={encoded}&n={n}"),
    }
}

/// A cursor that clients cannot interpret.
fn opaque_cursor(last: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(last.bytes().map(|byte| byte ^ 0xa5).collect::<Vec<u8>>())
}

fn decode_cursor(cursor: &str) -> Option<String> {
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
