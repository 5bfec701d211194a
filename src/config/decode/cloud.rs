//! The sources of credentials that are clouds.

use super::credential::{SOURCE, Source, path};
use super::document::Entry;
use crate::config::cloud::Cloud;
use crate::config::model::CredentialSource;
use crate::config::problem::Fault;

pub(super) const SOURCES: &[Source] = &[AZURE, GOOGLE];

const AZURE: Source = Source {
    name: "azure",
    keys: &[SOURCE, ("tenant", "\"TENANT-ID\""), ("client_id", "\"CLIENT-ID\"")],
    decode: |section| {
        let tenant = section.get("tenant").map(|entry| word(&entry));
        let client_id = section.get("client_id").map(|entry| word(&entry));
        Some(cloud(Cloud::Azure { tenant: given(tenant)?, client_id: given(client_id)? }))
    },
};

const GOOGLE: Source = Source {
    name: "google",
    keys: &[SOURCE, ("key_file", "\"/run/secrets/key.json\"")],
    decode: |section| {
        let key_file = section.get("key_file").map(|entry| path(&entry));
        Some(cloud(Cloud::Google { key_file: given(key_file)? }))
    },
};

fn cloud(cloud: Cloud) -> CredentialSource {
    CredentialSource::Cloud(cloud)
}

/// What was said, or `None` when it was wrong.
#[expect(clippy::option_option, reason = "unsaid and wrong are two things")]
fn given<T>(said: Option<Option<T>>) -> Option<Option<T>> {
    match said {
        Some(None) => None,
        Some(value) => Some(value),
        None => Some(None),
    }
}

/// An identifier that goes into a path or a form.
fn word(entry: &Entry<'_>) -> Option<Box<str>> {
    let text = entry.text()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !text.bytes().all(is_plain) || !text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        entry.report(Fault::new("it is no identifier").hint("write the UUID or the domain name that the portal shows"));
        return None;
    }
    Some(text.into())
}
