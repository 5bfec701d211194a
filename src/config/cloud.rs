//! Logins that a cloud lends: which cloud, and what the operator says about them.

use std::path::PathBuf;

/// A cloud that lends logins, and what was said about whose. What is not said is found as the cloud's own tools find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cloud {
    Azure { tenant: Option<Box<str>>, client_id: Option<Box<str>> },
    Ecr { region: Option<Box<str>>, profile: Option<Box<str>>, role: Option<Box<str>> },
    Google { key_file: Option<PathBuf> },
}

impl Cloud {
    /// The word for `source`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Azure { .. } => "azure",
            Self::Ecr { .. } => "ecr",
            Self::Google { .. } => "google",
        }
    }

    /// The profiles of the registries that its logins are for; no other registry gets to see one.
    pub fn profiles(&self) -> &'static [&'static str] {
        match self {
            Self::Azure { .. } => &["acr"],
            Self::Ecr { .. } => &["ecr", "ecr-public"],
            Self::Google { .. } => &["google"],
        }
    }

    /// The keys beside `source`, as they are in force.
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

/// A region becomes a part of a host's name, so it is held to its grammar.
pub fn is_aws_region(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let has_word_ends = !text.starts_with('-') && !text.ends_with('-');
    (3..=64).contains(&text.len()) && text.bytes().all(is_plain) && has_word_ends
}
