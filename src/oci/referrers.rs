//! Referrers: the tag that lists them where a registry has no referrers API, and the list itself.

use serde_json::Value;

use super::media::OCI_INDEX;
use super::query::Query;
use super::reference::{Digest, InvalidReference, Reference, Tag};

/// The tag that lists the referrers of `subject` (distribution specification, "Referrers Tag Schema"): the algorithm cut
/// to 32 characters, `-`, and the encoded part cut to 64, with `-` for each character that tags do not allow.
pub fn referrers_tag(subject: &Digest) -> Result<Reference, InvalidReference> {
    Tag::parse(&tag_text(subject.as_str())).map(Reference::Tag)
}

fn tag_text(digest: &str) -> String {
    let (algorithm, encoded) = digest.split_once(':').unwrap_or((digest, ""));
    let part = |text: &str, length: usize| {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        text.chars().take(length).map(|c| if is_allowed(c) { c } else { '-' }).collect::<String>()
    };
    format!("{}-{}", part(algorithm, MAX_ALGORITHM), part(encoded, MAX_ENCODED))
}

/// The artifact types that a request for referrers asks for. Empty if it asks for all types.
///
/// A `+` stands for itself, not for a blank as in forms: media types have many of the one and none of the other.
pub fn requested_types(query: &Query) -> Vec<String> {
    let decoded = |raw: &str| percent_encoding::percent_decode_str(raw).decode_utf8_lossy().into_owned();
    query.raw_values(ARTIFACT_TYPE).filter(|raw| !raw.is_empty()).map(decoded).collect()
}

/// A list of referrers: an image index (distribution specification, "Listing Referrers").
#[derive(Debug)]
pub struct ReferrersList(Value);

impl ReferrersList {
    /// Parses an image index.
    pub fn parse(document: &[u8]) -> Result<Self, NotAList> {
        let list: Value = serde_json::from_slice(document).map_err(|_| NotAList::Unreadable)?;
        let kind = list.get("mediaType");
        let claims_index = kind.is_some_and(|kind| kind.as_str() == Some(OCI_INDEX));
        // Some registries write an empty list as null.
        let has_entries = matches!(list.get("manifests"), Some(Value::Array(_) | Value::Null));
        match (has_entries, claims_index || kind.is_none()) {
            (true, true) => Ok(Self(list)),
            (false, _) if claims_index => Err(NotAList::Unreadable),
            _ => Err(NotAList::OtherDocument),
        }
    }

    /// Removes the referrers of other artifact types. Returns whether there were any.
    pub fn keep_types(&mut self, types: &[String]) -> bool {
        let Some(Value::Array(referrers)) = self.0.get_mut("manifests") else { return false };
        let before = referrers.len();
        let has_type = |referrer: &Value| {
            let artifact_type = referrer.get(ARTIFACT_TYPE).and_then(Value::as_str);
            artifact_type.is_some_and(|artifact_type| types.iter().any(|requested| requested == artifact_type))
        };
        referrers.retain(has_type);
        referrers.len() < before
    }

    /// Whether the list has the manifest with this digest.
    pub fn contains(&self, digest: &str) -> bool {
        let referrers = self.0.get("manifests").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        referrers.iter().any(|referrer| referrer.get("digest").and_then(Value::as_str) == Some(digest))
    }

    /// The document.
    pub fn to_json(&self) -> String {
        self.0.to_string()
    }
}

/// Why a document is no list of referrers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAList {
    /// It is not JSON, or an image index without its entries.
    Unreadable,
    /// It is JSON of another kind, such as the manifest of an image.
    OtherDocument,
}

/// The digest in the `subject` of a manifest. `None` if it has none.
pub fn subject_of(manifest: &[u8]) -> Option<String> {
    // Most manifests have no subject, so that they need not be parsed.
    if !manifest.windows(SUBJECT_KEY.len()).any(|window| window == SUBJECT_KEY) {
        return None;
    }
    let manifest: Value = serde_json::from_slice(manifest).ok()?;
    manifest.get("subject")?.get("digest")?.as_str().map(ToOwned::to_owned)
}

/// The query parameter that selects referrers by type, and the member of a referrer with its type.
pub const ARTIFACT_TYPE: &str = "artifactType";

const SUBJECT_KEY: &[u8] = br#""subject""#;
const MAX_ALGORITHM: usize = 32;
const MAX_ENCODED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_is_the_digest_cut_and_with_dashes() {
        let hex = "ab".repeat(64);
        for (digest, tag) in [
            (format!("sha256:{}", &hex[..64]), format!("sha256-{}", &hex[..64])),
            (format!("sha512:{hex}"), format!("sha512-{}", &hex[..64])),
            // The specification's own example.
            (
                "test+algorithm+using+algorithm+separators+and+lots+of+characters+to+excercise+overall+truncation:\
                 alsoSome=InTheEncodedSectionToShowHyphenReplacementAndLotsAndLotsOfCharactersToExcerciseEncodedTruncation"
                    .to_owned(),
                "test-algorithm-using-algorithm-s-\
                 alsoSome-InTheEncodedSectionToShowHyphenReplacementAndLotsAndLot"
                    .to_owned(),
            ),
        ] {
            assert_eq!(tag_text(&digest), tag);
        }
        let subject = Digest::of(b"{}");
        let tag = referrers_tag(&subject).unwrap();
        assert_eq!(tag, Reference::parse(&subject.as_str().replace(':', "-")).unwrap());
    }

    #[test]
    fn only_an_image_index_is_a_list() {
        let (other, unreadable) = (Some(NotAList::OtherDocument), Some(NotAList::Unreadable));
        for (document, why_not) in [
            (r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#, None),
            (r#"{"schemaVersion":2,"manifests":[]}"#, None),
            (r#"{"manifests":null}"#, None),
            (r#"{"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[]}"#, other),
            (r#"{"mediaType":7,"manifests":[]}"#, other),
            (r#"{"layers":[]}"#, other),
            (r#"{"manifests":{}}"#, other),
            ("[]", other),
            (r#"{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":{}}"#, unreadable),
            (r#"{"mediaType":"application/vnd.oci.image.index.v1+json"}"#, unreadable),
            (r#"{"schemaVersion":2,"manif"#, unreadable),
            ("", unreadable),
            ("404 page not found", unreadable),
        ] {
            assert_eq!(ReferrersList::parse(document.as_bytes()).err(), why_not, "{document}");
        }
    }

    #[test]
    fn filter_keeps_the_requested_types_and_every_member_of_the_document() {
        let document = br#"{"annotations":{"a":"b"},"manifests":[{"artifactType":"a/x+json","digest":"d1"},{"artifactType":"a/y"},{"digest":"d3"}]}"#;
        let filtered = |query: &str| {
            let mut list = ReferrersList::parse(document).unwrap();
            let removed = list.keep_types(&requested_types(&Query::parse(Some(query))));
            (removed, list)
        };
        for query in
            ["artifactType=a/x+json", "artifactType=a%2Fx%2Bjson", "n=1&artifactType=a/x%2Bjson&artifactType=z"]
        {
            let (removed, list) = filtered(query);
            assert_eq!(
                list.to_json(),
                r#"{"annotations":{"a":"b"},"manifests":[{"artifactType":"a/x+json","digest":"d1"}]}"#,
                "{query}"
            );
            assert!(removed && list.contains("d1") && !list.contains("d3"), "{query}");
        }
        let (removed, list) = filtered("artifactType=a/x+json&artifactType=a/y");
        assert!(removed && list.to_json().contains("a/y"));
        assert!(requested_types(&Query::parse(Some("artifactType=&artifactType&n=2"))).is_empty());
        let mut one = ReferrersList::parse(br#"{"manifests":[{"artifactType":"t"}]}"#).unwrap();
        assert!(!one.keep_types(&["t".to_owned()]), "nothing to remove");
    }

    #[test]
    fn subject_is_read_from_manifests_that_have_one() {
        for (manifest, subject) in [
            (r#"{"subject":{"digest":"sha256:a"}}"#, Some("sha256:a")),
            (r#"{"subject":null}"#, None),
            (r#"{"annotations":{"subject":"x"}}"#, None),
            (r#"{"layers":[]}"#, None),
            (r#""subject" but no JSON"#, None),
        ] {
            assert_eq!(subject_of(manifest.as_bytes()).as_deref(), subject, "{manifest}");
        }
    }
}
