//! Settings of credentials that a cloud issues.

use std::path::PathBuf;

/// A cloud that issues credentials, with the settings of the identity they are issued to. A setting that is `None` is
/// looked up where the cloud's own tools look it up; without a `role` no role is assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cloud {
    Azure { tenant: Option<Box<str>>, client_id: Option<Box<str>> },
    Ecr { region: Option<Box<str>>, profile: Option<Box<str>>, role: Option<Box<str>> },
    Google { key_file: Option<PathBuf> },
}

impl Cloud {
    /// The value of `source` in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Azure { .. } => "azure",
            Self::Ecr { .. } => "ecr",
            Self::Google { .. } => "google",
        }
    }

    /// The profiles of the registries that the credentials are for. Registries with other profiles get no credential.
    pub fn profiles(&self) -> &'static [&'static str] {
        match self {
            Self::Azure { .. } => &["acr"],
            Self::Ecr { .. } => &["ecr", "ecr-public"],
            Self::Google { .. } => &["google"],
        }
    }

    /// The keys beside `source` that are set, with their values.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let text = |value: &Option<Box<str>>| value.as_deref().map(str::to_owned);
        let settings = match self {
            Self::Azure { tenant, client_id } => vec![("tenant", text(tenant)), ("client_id", text(client_id))],
            Self::Ecr { region, profile, role } => {
                vec![("region", text(region)), ("profile", text(profile)), ("role", text(role))]
            }
            Self::Google { key_file } => {
                vec![("key_file", key_file.as_ref().map(|file| file.to_string_lossy().into_owned()))]
            }
        };
        settings.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}

/// Whether `text` has the form of an AWS region. A region becomes part of a host name, so nothing else is allowed.
pub fn is_aws_region(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let has_plain_ends = !text.starts_with('-') && !text.ends_with('-');
    (3..=64).contains(&text.len()) && text.bytes().all(is_plain) && has_plain_ends
}
