//! The credential sources that are clouds.

use super::credential_source::{SOURCE, SourceKind};
use super::document::Section;
use super::secret::path;
use crate::config::cloud::{Cloud, is_aws_region};
use crate::config::model::CredentialSource;
use crate::config::problem::Fault;

pub(super) const SOURCES: &[SourceKind] = &[AZURE, ECR, GOOGLE];

const AZURE: SourceKind = SourceKind {
    name: "azure",
    keys: &[SOURCE, ("tenant", "\"TENANT-ID\""), ("client_id", "\"CLIENT-ID\"")],
    decode: |section| {
        let (tenant, client_id) = (optional(section, "tenant", identifier), optional(section, "client_id", identifier));
        Some(CredentialSource::Cloud(Cloud::Azure { tenant: tenant?, client_id: client_id? }))
    },
};

const ECR: SourceKind = SourceKind {
    name: "ecr",
    keys: &[
        SOURCE,
        ("region", "\"eu-west-2\""),
        ("profile", "\"dev\""),
        ("role", "\"arn:aws:iam::123456789012:role/name\""),
    ],
    decode: |section| {
        let (region, profile) = (optional(section, "region", region), optional(section, "profile", aws_profile));
        let role = optional(section, "role", role_arn);
        Some(CredentialSource::Cloud(Cloud::Ecr { region: region?, profile: profile?, role: role? }))
    },
};

const GOOGLE: SourceKind = SourceKind {
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

/// The value of an optional key: `None` when the value is invalid, `Some(None)` when the key is absent.
#[expect(clippy::option_option, reason = "an absent and an invalid value differ")]
fn optional(section: &Section<'_>, key: &str, parse: fn(&str) -> Result<Box<str>, Fault>) -> Option<Option<Box<str>>> {
    match section.get(key) {
        Some(entry) => entry.parse(parse).map(Some),
        None => Some(None),
    }
}

/// A tenant or client id. It becomes part of a URL's path or of a form, so only characters that need no escape.
fn identifier(text: &str) -> Result<Box<str>, Fault> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if text.bytes().all(is_plain) && text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        Ok(text.into())
    } else {
        Err(Fault::new("invalid identifier").hint("write the UUID or the domain name that the Azure portal shows"))
    }
}

fn region(text: &str) -> Result<Box<str>, Fault> {
    if is_aws_region(text) { Ok(text.into()) } else { Err(Fault::new("invalid AWS region")) }
}

/// The name of a profile, as it is in a section header of the AWS configuration files.
fn aws_profile(text: &str) -> Result<Box<str>, Fault> {
    let is_valid =
        !text.is_empty() && text.trim() == text && !text.contains(['[', ']']) && !text.contains(char::is_control);
    if is_valid { Ok(text.into()) } else { Err(Fault::new("invalid name of an AWS profile")) }
}

fn role_arn(text: &str) -> Result<Box<str>, Fault> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let is_valid = match parts.as_slice() {
        ["arn", partition, "iam", "", account, resource] => {
            let is_account = account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit());
            let is_role = resource.strip_prefix("role/").is_some_and(|name| !name.is_empty());
            partition.starts_with("aws") && is_account && is_role && text.bytes().all(|byte| byte.is_ascii_graphic())
        }
        _ => false,
    };
    if is_valid { Ok(text.into()) } else { Err(Fault::new("invalid ARN of an IAM role")) }
}
