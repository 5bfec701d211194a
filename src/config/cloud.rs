//! Logins that a cloud lends: which cloud, and what the operator says about them.

use std::path::PathBuf;

/// A cloud that lends logins, and what was said about whose. What is not said is found as the cloud's own tools find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cloud {
    Azure { tenant: Option<Box<str>>, client_id: Option<Box<str>> },
    Google { key_file: Option<PathBuf> },
}

impl Cloud {
    /// The word for `source`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Azure { .. } => "azure",
            Self::Google { .. } => "google",
        }
    }

    /// The profiles of the registries that its logins are for; no other registry gets to see one.
    pub fn profiles(&self) -> &'static [&'static str] {
        match self {
            Self::Azure { .. } => &["acr"],
            Self::Google { .. } => &["google"],
        }
    }

    /// The keys beside `source`, as they are in force.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let said = |settings: &[(&'static str, Option<String>)]| {
            settings.iter().filter_map(|(key, value)| Some((*key, value.clone()?))).collect()
        };
        match self {
            Self::Azure { tenant, client_id } => said(&[
                ("tenant", tenant.as_deref().map(Into::into)),
                ("client_id", client_id.as_deref().map(Into::into)),
            ]),
            Self::Google { key_file } => {
                said(&[("key_file", key_file.as_ref().map(|file| file.to_string_lossy().into_owned()))])
            }
        }
    }
}
