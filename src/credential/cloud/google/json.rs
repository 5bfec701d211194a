//! JSON objects in key files, with error messages that name the file and never quote its content.

use std::path::Path;

use serde_json::Value;

use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::base::watched_file::FileError;

/// A JSON object of a key file.
#[derive(Debug)]
pub(super) struct JsonObject<'a> {
    path: &'a Path,
    members: &'a Value,
}

impl<'a> JsonObject<'a> {
    pub(super) fn new(path: &'a Path, members: &'a Value) -> Self {
        Self { path, members }
    }

    pub(super) fn path(&self) -> &Path {
        self.path
    }

    /// A string member, if present and not empty.
    pub(super) fn optional(&self, name: &str) -> Option<&'a str> {
        self.members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// A string member that has to be present.
    pub(super) fn text(&self, name: &str) -> Result<&'a str, FileError> {
        self.optional(name).ok_or_else(|| self.error(&format!("has no `{name}`")))
    }

    pub(super) fn secret(&self, name: &str) -> Result<Secret, FileError> {
        self.text(name).map(Secret::new)
    }

    pub(super) fn url(&self, name: &str) -> Result<Url, FileError> {
        Url::parse(self.text(name)?).map_err(|why| self.error(&format!("has no valid `{name}`: {why}")))
    }

    /// The URL in the member `name`, or `default` if there is no such member.
    pub(super) fn url_or(&self, name: &str, default: &str) -> Result<Url, FileError> {
        match self.optional(name) {
            Some(_) => self.url(name),
            None => Url::parse(default).map_err(|why| self.error(&why.to_string())),
        }
    }

    pub(super) fn object(&self, name: &str) -> Option<Self> {
        let members = self.members.get(name).filter(|members| members.is_object())?;
        Some(Self { path: self.path, members })
    }

    /// The members that are strings.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let entries = self.members.as_object().into_iter().flatten();
        entries.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }

    /// An error about the file. `problem` is a predicate such as "has no 'type'".
    pub(super) fn error(&self, problem: &str) -> FileError {
        FileError::new(format!("{} {problem}", self.path.display()))
    }
}
