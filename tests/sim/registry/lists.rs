//! Tags, catalog and referrers.

use serde_json::{Value, json};

use super::super::content::media;
use super::super::preset::{LinkForm, Paging, Referrers};
use super::super::query;
use super::super::reply::Reply;
use super::{Ask, Engine};

impl Engine {
    pub(super) fn tags(&self, ask: &Ask<'_>, name: &str) -> Reply {
        let paging = &ask.preset.lists.tags;
        let Some(mut tags) =
            self.store.read(name, |repository| repository.tags.iter().map(|(tag, _)| tag.clone()).collect::<Vec<_>>())
        else {
            return unknown_name(name);
        };
        if paging.sorted {
            tags.sort();
        }
        page(ask, paging, &tags, |tags| format!(r#"{{"name":"{name}","tags":{}}}"#, json!(tags)))
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

pub(super) fn unknown_name(name: &str) -> Reply {
    let detail = format!(r#"{{"name":"{name}"}}"#);
    Reply::error_detail(404, "NAME_UNKNOWN", "repository name not known to registry", &detail)
}

/// One page of a list, after `last`, with the link to the next.
fn page(ask: &Ask<'_>, paging: &Paging, all: &[String], document: impl Fn(&[String]) -> String) -> Reply {
    let asked = ask.entry.query_value("n");
    let n = match asked.as_deref().map(str::parse::<usize>) {
        Some(Err(_)) => return bad_n(asked),
        Some(Ok(n)) if paging.most.is_some_and(|most| n > most) => return bad_n(asked),
        // GHCR writes n=0 into its own links, so there it means the default.
        Some(Ok(0)) if paging.link == LinkForm::EchoesN => paging.default,
        Some(Ok(n)) => Some(n),
        None => paging.default,
    };
    let last = ask.entry.query_value("last");
    let start = last.map_or(0, |last| position_after(all, &last, paging.sorted));
    let end = n.map_or(all.len(), |n| (start + n).min(all.len()));
    let reply = Reply::new(200).json(document(&all[start..end]));
    let reply = if paging.chunked { reply.chunked() } else { reply };
    if end == all.len() || end == start || paging.link == LinkForm::None {
        return reply;
    }
    let n = match paging.link {
        LinkForm::EchoesN => asked.unwrap_or_else(|| "0".to_owned()),
        _ => (end - start).to_string(),
    };
    // Only `last` and `n` survive: CNCF Distribution loses the other parameters as well.
    let link = format!("{}?last={}&n={n}", ask.entry.path, query::encode(&all[end - 1]));
    reply.header("link", format!(r#"<{link}>; rel="next""#))
}

fn position_after(all: &[String], last: &str, sorted: bool) -> usize {
    if sorted {
        all.partition_point(|item| item.as_str() <= last)
    } else {
        all.iter().position(|item| item == last).map_or(0, |position| position + 1)
    }
}

fn bad_n(asked: Option<String>) -> Reply {
    let detail = format!(r#"{{"n":{}}}"#, Value::from(asked.unwrap_or_default()));
    Reply::error_detail(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested", &detail)
}
