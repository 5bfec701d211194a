//! Secrets that cannot be printed by accident.

use std::fmt;

use zeroize::Zeroizing;

/// A password, identity token or bearer token.
///
/// `Debug` prints a placeholder, there is no `Display`, and the memory is wiped on drop. Only [`Secret::expose`]
/// returns the text, so `grep expose` lists every place that uses it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The secret as text, only to send it, to hash it, or to find it in text that must not show it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// In bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_does_not_print_the_value() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "[redacted] Some([redacted])");
    }
}
