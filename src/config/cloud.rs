//! Logins that a cloud lends: which cloud, and what the operator says about them.

/// A cloud that lends logins, and what was said about whose. What is not said is found as the cloud's own tools find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cloud {
    Ecr { region: Option<Box<str>>, profile: Option<Box<str>>, role: Option<Box<str>> },
    Google,
}

impl Cloud {
    /// The word for `source`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ecr { .. } => "ecr",
            Self::Google => "google",
        }
    }

    /// The profiles of the registries that its logins are for; no other registry gets to see one.
    pub fn profiles(&self) -> &'static [&'static str] {
        match self {
            Self::Ecr { .. } => &["ecr", "ecr-public"],
            Self::Google => &["google"],
        }
    }

    /// The keys beside `source`, as they are in force.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Ecr { region, profile, role } => {
                let settings = [("region", region), ("profile", profile), ("role", role)];
                settings.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?.to_owned()))).collect()
            }
            Self::Google => Vec::new(),
        }
    }
}

/// A region becomes a part of a host's name, so it is held to its grammar.
pub fn is_aws_region(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let has_word_ends = !text.starts_with('-') && !text.ends_with('-');
    (3..=64).contains(&text.len()) && text.bytes().all(is_plain) && has_word_ends
}
