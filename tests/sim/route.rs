//! The paths of the distribution API, parsed strictly: any other path breaks [`Rule::UnknownPath`](super::Rule).

/// What a path of the API names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/`
    Root,
    /// `/v2`, without the slash
    BareBase,
    /// `/v2/`
    Base,
    Catalog,
    Tags {
        name: String,
    },
    Manifest {
        name: String,
        reference: String,
    },
    Referrers {
        name: String,
        digest: String,
    },
    Blob {
        name: String,
        digest: String,
    },
    /// An extension below a repository name.
    Extension {
        name: String,
    },
    Uploads {
        name: String,
    },
    /// An upload session. With [`UploadPath::OutsideApi`], `name` is only the first two components of the repository's
    /// name.
    Upload {
        name: String,
        id: String,
        upload_path: UploadPath,
    },
}

/// The form of the path of an upload session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadPath {
    /// `/v2/NAME/blobs/uploads/ID`
    Uploads,
    /// `/v2/NAME/blobs/upload/ID`
    Upload,
    /// `/artifacts-uploads/namespaces/P/repositories/R/uploads/ID`
    OutsideApi,
}

impl Route {
    pub fn parse(path: &str) -> Option<Self> {
        match path {
            "/" => return Some(Self::Root),
            "/v2" => return Some(Self::BareBase),
            "/v2/" => return Some(Self::Base),
            "/v2/_catalog" => return Some(Self::Catalog),
            _ => {}
        }
        if let Some(rest) = path.strip_prefix("/artifacts-uploads/") {
            return Self::outside_api(rest);
        }
        let segments: Vec<&str> = path.strip_prefix("/v2/")?.split('/').collect();
        let (name, route) = match segments.as_slice() {
            [name @ .., "_oci", "ext", "discover"] | [name @ .., "_chainguard", "history", _] => {
                (name, Self::Extension { name: name.join("/") })
            }
            [name @ .., "tags", "list"] => (name, Self::Tags { name: name.join("/") }),
            [name @ .., "blobs", "uploads", ""] => (name, Self::Uploads { name: name.join("/") }),
            [name @ .., "blobs", upload_path @ ("uploads" | "upload"), id] => {
                let upload_path = if *upload_path == "upload" { UploadPath::Upload } else { UploadPath::Uploads };
                (name, Self::Upload { name: name.join("/"), id: (*id).to_owned(), upload_path })
            }
            [name @ .., "manifests", reference] if is_tag(reference) || is_digest(reference) => {
                (name, Self::Manifest { name: name.join("/"), reference: (*reference).to_owned() })
            }
            [name @ .., "blobs", digest] if is_digest(digest) => {
                (name, Self::Blob { name: name.join("/"), digest: (*digest).to_owned() })
            }
            [name @ .., "referrers", digest] if is_digest(digest) => {
                (name, Self::Referrers { name: name.join("/"), digest: (*digest).to_owned() })
            }
            _ => return None,
        };
        (!name.is_empty() && name.iter().all(|segment| is_name_segment(segment))).then_some(route)
    }

    /// The route with `prefix` removed from the repository's name; `None` if the name does not start with it.
    pub fn without_prefix(mut self, prefix: &str) -> Option<Self> {
        match &mut self {
            Self::Root | Self::BareBase | Self::Base | Self::Catalog => {}
            Self::Tags { name }
            | Self::Manifest { name, .. }
            | Self::Referrers { name, .. }
            | Self::Blob { name, .. }
            | Self::Extension { name }
            | Self::Uploads { name }
            | Self::Upload { name, .. } => *name = name.strip_prefix(prefix)?.to_owned(),
        }
        Some(self)
    }

    fn outside_api(rest: &str) -> Option<Self> {
        let segments: Vec<&str> = rest.split('/').collect();
        let ["namespaces", project, "repositories", repository, "uploads", id] = segments.as_slice() else {
            return None;
        };
        Some(Self::Upload {
            name: format!("{project}/{repository}"),
            id: (*id).to_owned(),
            upload_path: UploadPath::OutsideApi,
        })
    }

    /// The repository that the path names; `None` if it names none.
    pub fn repository(&self) -> Option<&str> {
        match self {
            Self::Root | Self::BareBase | Self::Base | Self::Catalog => None,
            Self::Tags { name }
            | Self::Manifest { name, .. }
            | Self::Referrers { name, .. }
            | Self::Blob { name, .. }
            | Self::Extension { name }
            | Self::Uploads { name }
            | Self::Upload { name, .. } => Some(name),
        }
    }
}

/// Whether a component of a repository name is valid: words of `[a-z0-9]+`, joined by `.`, `_`, `__` or dashes.
fn is_name_segment(segment: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    segment.starts_with(is_word)
        && segment.ends_with(is_word)
        && segment
            .split(is_word)
            .all(|gap| matches!(gap, "" | "." | "_" | "__") || gap.bytes().all(|byte| byte == b'-'))
}

fn is_tag(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn is_digest(text: &str) -> bool {
    let hex_len = match text.split_once(':') {
        Some(("sha256" | "blake3", hex)) => Some((hex, 64)),
        Some(("sha512", hex)) => Some((hex, 128)),
        Some(("md5", hex)) => Some((hex, 32)),
        _ => None,
    };
    hex_len
        .is_some_and(|(hex, len)| hex.len() == len && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}
