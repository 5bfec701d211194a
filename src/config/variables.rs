//! Environment variables, read through a function, so that tests need not change those of the process.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// Access to environment variables by name.
#[derive(Clone, Copy)]
pub struct Variables<'a>(&'a dyn Fn(&str) -> Option<OsString>);

impl<'a> Variables<'a> {
    pub fn new(read: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self(read)
    }

    /// The environment variables of this process.
    pub fn process() -> Self {
        Self(&|name| std::env::var_os(name))
    }

    /// The variable as a path. An empty variable counts as unset: compose and unit files often leave variables empty.
    pub fn path(self, name: &str) -> Option<PathBuf> {
        (self.0)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// The variable as text. An empty variable counts as unset.
    pub fn text(self, name: &str) -> Result<Option<String>, NotUtf8> {
        self.path(name).map(|value| value.into_os_string().into_string().map_err(|_| NotUtf8)).transpose()
    }
}

impl fmt::Debug for Variables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables")
    }
}

/// The value of a variable is not UTF-8 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value is not UTF-8 text")]
pub struct NotUtf8;
