//! Environment variables, read through a function so that tests need not touch the process's own.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

#[derive(Clone, Copy)]
pub struct Variables<'a>(&'a dyn Fn(&str) -> Option<OsString>);

impl<'a> Variables<'a> {
    pub fn new(read: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self(read)
    }

    /// The process's own.
    pub fn process() -> Self {
        Self(&|name| std::env::var_os(name))
    }

    /// An empty variable counts as unset: that is how compose files and unit files spell "not this time".
    pub fn path(self, name: &str) -> Option<PathBuf> {
        (self.0)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    pub fn text(self, name: &str) -> Result<Option<String>, NotText> {
        self.path(name).map(|value| value.into_os_string().into_string().map_err(|_| NotText)).transpose()
    }
}

impl fmt::Debug for Variables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not UTF-8 text")]
pub struct NotText;
