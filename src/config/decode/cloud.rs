//! The sources of credentials that are clouds.

use super::credential::{SOURCE, Source};
use crate::config::cloud::{Cloud, is_aws_region};
use crate::config::model::CredentialSource;
use crate::config::problem::Fault;

pub(super) const SOURCES: &[Source] = &[ECR, GOOGLE];

type Parse = fn(&str) -> Result<Box<str>, Fault>;

const ECR: Source = Source {
    name: "ecr",
    keys: &[
        SOURCE,
        ("region", "\"eu-west-2\""),
        ("profile", "\"dev\""),
        ("role", "\"arn:aws:iam::123456789012:role/name\""),
    ],
    decode: |section| {
        let given = |key, parse: Parse| match section.get(key) {
            Some(entry) => entry.parse(parse).map(Some),
            None => Some(None),
        };
        let (region, profile, role) = (given("region", region), given("profile", word), given("role", role));
        Some(CredentialSource::Cloud(Cloud::Ecr { region: region?, profile: profile?, role: role? }))
    },
};

const GOOGLE: Source =
    Source { name: "google", keys: &[SOURCE], decode: |_| Some(CredentialSource::Cloud(Cloud::Google)) };

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
