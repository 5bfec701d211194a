//! Logins that a cloud lends: which cloud, and what the operator says about them.

/// A cloud that lends logins, and what was said about whose. What is not said is found as the cloud's own tools find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cloud {
    Google,
}

impl Cloud {
    /// The word for `source`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Google => "google",
        }
    }

    /// The profiles of the registries that its logins are for; no other registry gets to see one.
    pub fn profiles(&self) -> &'static [&'static str] {
        match self {
            Self::Google => &["google"],
        }
    }

    /// The keys beside `source`, as they are in force.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Google => Vec::new(),
        }
    }
}
