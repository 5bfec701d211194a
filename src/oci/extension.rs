//! Extensions of the distribution API below a repository name (distribution specification, `extensions/README.md`).

use super::reference::Reference;

/// The path of an extension's endpoint below the repository name: `_oci/ext/discover`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionPath(Box<str>);

/// A path that has a component with an underscore in front and is not that of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a component of the path begins with an underscore, which only extensions of the API do: regpass reads them below a repository name, such as /v2/<name>/_oci/ext/discover"
)]
pub struct InvalidExtension;

impl ExtensionPath {
    /// Parses the path segments from the extension's name on. The other segments are words, tags or digests.
    pub fn parse(segments: &[&str]) -> Result<Self, InvalidExtension> {
        let (name, rest) = segments.split_first().ok_or(InvalidExtension)?;
        let is_valid = name.strip_prefix('_').is_some_and(is_word)
            && (1..=MAX_SEGMENTS).contains(&rest.len())
            && rest.iter().all(|segment| Reference::parse(segment).is_ok());
        if is_valid { Ok(Self(segments.join("/").into())) } else { Err(InvalidExtension) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The extension's name: `_oci`.
    pub fn name(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

/// `[a-z0-9]+([._-][a-z0-9]+)*`
fn is_word(text: &str) -> bool {
    let is_part = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.split(['.', '_', '-']).all(is_part)
}

const MAX_SEGMENTS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Result<ExtensionPath, InvalidExtension> {
        ExtensionPath::parse(&path.split('/').collect::<Vec<_>>())
    }

    #[test]
    fn extension_consists_of_its_name_and_plain_segments() {
        let digest = format!("_oci/artifacts/sha256:{}", "a".repeat(64));
        for path in ["_oci/ext/discover", "_a-b.c/history/3.10-DEV", "_docker/x", &digest] {
            let extension = parse(path).unwrap();
            assert_eq!((extension.as_str(), Some(extension.name())), (path, path.split('/').next()));
        }
        for path in [
            "",
            "_oci",
            "_oci/",
            "_oci/ext/",
            "_oci//discover",
            "_oci/../x",
            "_oci/ext/..",
            "_oci/a b",
            "_oci/a%2Fb",
            "_oci/a?b",
            "_OCI/ext",
            "__oci/ext",
            "oci/ext",
            "_",
            "_/ext",
            "_oci/1/2/3/4/5/6/7/8/9",
        ] {
            assert_eq!(parse(path), Err(InvalidExtension), "{path}");
        }
    }
}
