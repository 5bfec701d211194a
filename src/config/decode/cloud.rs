//! The sources of credentials that are clouds.

use super::credential::{SOURCE, Source, path};
use super::document::Section;
use crate::config::cloud::{Cloud, is_aws_region};
use crate::config::model::CredentialSource;
use crate::config::problem::Fault;

pub(super) const SOURCES: &[Source] = &[AZURE, ECR, GOOGLE];

const AZURE: Source = Source {
    name: "azure",
    keys: &[SOURCE, ("tenant", "\"TENANT-ID\""), ("client_id", "\"CLIENT-ID\"")],
    decode: |section| {
        let (tenant, client_id) = (given(section, "tenant", identifier), given(section, "client_id", identifier));
        Some(CredentialSource::Cloud(Cloud::Azure { tenant: tenant?, client_id: client_id? }))
    },
};

const ECR: Source = Source {
    name: "ecr",
    keys: &[
        SOURCE,
        ("region", "\"eu-west-2\""),
        ("profile", "\"dev\""),
        ("role", "\"arn:aws:iam::123456789012:role/name\""),
    ],
    decode: |section| {
        let (region, profile) = (given(section, "region", region), given(section, "profile", word));
        let role = given(section, "role", role);
        Some(CredentialSource::Cloud(Cloud::Ecr { region: region?, profile: profile?, role: role? }))
    },
};

const GOOGLE: Source = Source {
    name: "google",
    keys: &[SOURCE, ("key_file", "\"/run/secrets/key.json\"")],
    decode: |section| {
        let key_file = match section.get("key_file") {
            Some(entry) => Some(path(&entry)?),
            None => None,
        };
        Some(CredentialSource::Cloud(Cloud::Google { key_file }))
    },
};

/// What was said of `key`, if anything was; `None` when that was wrong.
#[expect(clippy::option_option, reason = "unsaid and wrong are two things")]
fn given(section: &Section<'_>, key: &str, parse: fn(&str) -> Result<Box<str>, Fault>) -> Option<Option<Box<str>>> {
    match section.get(key) {
        Some(entry) => entry.parse(parse).map(Some),
        None => Some(None),
    }
}

/// Goes into a path or a form.
fn identifier(text: &str) -> Result<Box<str>, Fault> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if text.bytes().all(is_plain) && text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        Ok(text.into())
    } else {
        Err(Fault::new("it is no identifier").hint("write the UUID or the domain name that the portal shows"))
    }
}

fn region(text: &str) -> Result<Box<str>, Fault> {
    if is_aws_region(text) { Ok(text.into()) } else { Err(Fault::new("it is no region of AWS")) }
}

/// The name of a section, as it stands in a file of sections.
fn word(text: &str) -> Result<Box<str>, Fault> {
    let fits =
        !text.is_empty() && text.trim() == text && !text.contains(['[', ']']) && !text.contains(char::is_control);
    if fits { Ok(text.into()) } else { Err(Fault::new("it is no name of a profile")) }
}

fn role(text: &str) -> Result<Box<str>, Fault> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let fits = match parts.as_slice() {
        ["arn", partition, "iam", "", account, resource] => {
            let is_account = account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit());
            let is_role = resource.strip_prefix("role/").is_some_and(|name| !name.is_empty());
            partition.starts_with("aws") && is_account && is_role && text.bytes().all(|byte| byte.is_ascii_graphic())
        }
        _ => false,
    };
    if fits { Ok(text.into()) } else { Err(Fault::new("it is no ARN of a role")) }
}
