//! The JSON of docker's `config.json`, of the older `.dockercfg` and of podman's `auth.json`, as docker, podman and the
//! kubelet decode it.
//!
//! Their decoder, Go's `encoding/json`, takes member names in any case, merges an object that occurs twice, and lets the
//! last of several values count. `.dockercfg` is the object that `auths` is in the newer file
//! (kubernetes/kubernetes, `pkg/credentialprovider/config.go`; containers/image, `pkg/docker/config`, August 2025).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// The members that regpass uses.
#[derive(Default)]
pub(super) struct Document {
    pub(super) auths: BTreeMap<String, RawEntry>,
    pub(super) cred_helpers: BTreeMap<String, String>,
    pub(super) creds_store: Option<String>,
    /// The number of entries in the form of `.dockercfg` that do not count, because the file has `auths`.
    pub(super) ignored_entries: usize,
}

/// An entry of `auths`.
#[derive(Default)]
pub(super) struct RawEntry {
    pub(super) auth: Option<String>,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) identity_token: Option<String>,
    pub(super) registry_token: Option<String>,
}

impl Document {
    pub(super) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Document;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Document, A::Error> {
                let mut document = Document::default();
                let (mut has_auths, mut old_entries) = (false, BTreeMap::new());
                while let Some(name) = members.next_key::<String>()? {
                    match name.to_ascii_lowercase().as_str() {
                        "auths" => {
                            has_auths = true;
                            merge(&mut document.auths, members.next_value()?);
                        }
                        "credhelpers" => merge(&mut document.cred_helpers, members.next_value()?),
                        "credsstore" => set(&mut document.creds_store, members.next_value()?),
                        _ => {
                            if let OldEntry::Entry(entry) = members.next_value()?
                                && entry.has_members()
                            {
                                old_entries.insert(name, entry);
                            }
                        }
                    }
                }
                if has_auths {
                    document.ignored_entries = old_entries.len();
                } else {
                    document.auths = old_entries;
                }
                Ok(document)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl<'de> Deserialize<'de> for RawEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = RawEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<RawEntry, A::Error> {
                let mut entry = RawEntry::default();
                while let Some(name) = members.next_key::<String>()? {
                    let member = match name.to_ascii_lowercase().as_str() {
                        "auth" => &mut entry.auth,
                        "username" => &mut entry.username,
                        "password" => &mut entry.password,
                        "identitytoken" => &mut entry.identity_token,
                        "registrytoken" => &mut entry.registry_token,
                        _ => {
                            members.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    set(member, members.next_value()?);
                }
                Ok(entry)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl RawEntry {
    fn has_members(&self) -> bool {
        [&self.auth, &self.username, &self.password, &self.identity_token, &self.registry_token]
            .iter()
            .any(|member| member.is_some())
    }
}

/// The value of a member with another name: an entry, if the file is a `.dockercfg`.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum OldEntry {
    Entry(RawEntry),
    Other(IgnoredAny),
}

/// Adds the members of an object that occurs again; `null` removes those from before.
fn merge<V: Default>(object: &mut BTreeMap<String, V>, more: Option<BTreeMap<String, Option<V>>>) {
    match more {
        Some(more) => object.extend(more.into_iter().map(|(name, value)| (name, value.unwrap_or_default()))),
        None => object.clear(),
    }
}

/// Replaces a value; `null` leaves it as it is.
fn set(value: &mut Option<String>, new: Option<String>) {
    if new.is_some() {
        *value = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of `auths` with the `auth` in each, the helpers, and the store.
    fn members(text: &str) -> String {
        let document = Document::parse(text).unwrap();
        let auths = document.auths.iter().map(|(key, entry)| format!("{key}={}", entry.auth.as_deref().unwrap_or("-")));
        let helpers = document.cred_helpers.iter().map(|(key, helper)| format!("{key}@{helper}"));
        let store = document.creds_store.iter().map(|store| format!("@{store}"));
        auths.chain(helpers).chain(store).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn member_names_match_in_any_case() {
        assert_eq!(members(r#"{"Auths": {"A.io": {"AUTH": "x"}}, "credSstore": "s"}"#), "A.io=x @s");
        assert_eq!(
            members(r#"{"AUTHS": {"a": {"Auth": "x"}}, "CredHelpers": {"b": "h"}, "CREDSSTORE": "s"}"#),
            "a=x b@h @s"
        );
        let entry =
            Document::parse(r#"{"auths": {"a": {"identityToken": "i", "RegistryToken": "r", "UserName": "u"}}}"#);
        let entry = entry.unwrap().auths.remove("a").unwrap();
        let found = [entry.identity_token, entry.registry_token, entry.username, entry.password];
        assert_eq!(found.map(Option::unwrap_or_default), ["i", "r", "u", ""]);
    }

    #[test]
    fn duplicates_are_merged_and_the_last_value_counts() {
        for (text, expected) in [
            (r#"{"auths": {"a": {"auth": "1"}, "b": {"auth": "2"}}, "Auths": {"a": {"auth": "3"}}}"#, "a=3 b=2"),
            (r#"{"auths": {"a": {"auth": "1"}, "a": {"auth": "2"}}}"#, "a=2"),
            (r#"{"auths": {"a": {"auth": "1", "Auth": "2"}}}"#, "a=2"),
            (r#"{"auths": {"a": {"auth": "1", "auth": null}}}"#, "a=1"),
            (r#"{"auths": {"a": {}}, "auths": null, "credsStore": "x", "credsStore": null}"#, "@x"),
            (r#"{"credHelpers": {"a": "x"}, "CredHelpers": {"b": "y", "a": null}}"#, "a@ b@y"),
        ] {
            assert_eq!(members(text), expected, "{text}");
        }
    }

    #[test]
    fn old_form_without_auths_is_the_object_of_entries() {
        for (text, expected) in [
            (
                r#"{"https://index.docker.io/v1/": {"auth": "x", "email": "e"}, "a.io": {"username": "u"}}"#,
                "a.io=- https://index.docker.io/v1/=x",
            ),
            (
                r#"{"HttpHeaders": {"X": "y"}, "proxies": {"default": {"httpProxy": "p"}}, "psFormat": "auth", "n": [1]}"#,
                "",
            ),
            (r#"{"plugins": {"auth": {"x": "y"}}, "a.io": {"auth": {"no": "string"}}}"#, ""),
            (r#"{"a.io": {}, "b.io": {"Auth": "x"}}"#, "b.io=x"),
        ] {
            assert_eq!(members(text), expected, "{text}");
        }
        let both = Document::parse(r#"{"a.io": {"auth": "x"}, "auths": {"b.io": {"auth": "y"}}}"#).unwrap();
        assert_eq!((both.auths.len(), both.ignored_entries), (1, 1), "docker ignores what is beside `auths`");
    }
}
