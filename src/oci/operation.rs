//! One request of the distribution API, understood once.

use http::Method;

use super::name::{BadName, RepositoryName};
use super::path::ApiPath;
use super::query::Query;
use super::reference::{BadReference, Digest, Reference};

/// A recognised request. Endpoints as in the distribution specification, "Endpoints".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    Ping,
    ListRepositories,
    ListTags(RepositoryName),
    ListReferrers(RepositoryName, Digest),
    ReadManifest(RepositoryName, Reference),
    WriteManifest(RepositoryName, Reference),
    DeleteManifest(RepositoryName, Reference),
    ReadBlob(RepositoryName, Digest),
    DeleteBlob(RepositoryName, Digest),
    StartUpload(RepositoryName, Start),
    ContinueUpload(RepositoryName, Session, UploadStep),
}

/// What a `POST` to the uploads of a repository is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Open a session.
    Session,
    /// Take the whole blob at once.
    Whole(Digest),
    /// Use the blob of another repository of the same registry; without `from`, of any.
    Mount { digest: Digest, from: Option<RepositoryName> },
}

/// The path segment that names an upload session, as the client was told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session(pub Box<str>);

/// What a request to an upload session is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadStep {
    Status,
    Chunk,
    Finish(Digest),
    Cancel,
}

/// What kind of body a request brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyClass {
    /// None that means anything.
    Empty,
    /// Small enough to be held and sent twice.
    Document,
    /// Streamed: a blob or a part of one.
    Bulk,
}

/// What the configuration's `allow` speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Access {
    Pull,
    Push,
    Delete,
}

impl Access {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }
}

/// From the name a client uses to the one the registry does.
pub type KnownAs<'a> = dyn Fn(RepositoryName) -> RepositoryName + 'a;

/// Why a request is not one of the API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOci {
    #[error(transparent)]
    Name(#[from] BadName),
    #[error(transparent)]
    Reference(#[from] BadReference),
    #[error("the distribution API has no such endpoint")]
    Endpoint,
    #[error("the endpoint takes {allow} only")]
    Method { allow: &'static str },
}

impl NotOci {
    /// Whether there is no such endpoint, whatever else the request says.
    pub fn is_about_the_path(self) -> bool {
        matches!(self, Self::Endpoint | Self::Method { .. } | Self::Name(_))
    }
}

impl Operation {
    /// Recognises a request. `known_as` tells what the registry calls a repository.
    pub fn parse(method: &Method, path: &ApiPath, query: &Query, known_as: &KnownAs<'_>) -> Result<Self, NotOci> {
        let segments: Vec<&str> = path.segments().iter().map(|segment| &**segment).collect();
        let name = |segments: &[&str]| -> Result<RepositoryName, NotOci> {
            Ok(known_as(RepositoryName::parse(&segments.join("/"))?))
        };
        match segments.as_slice() {
            [] => reads(method).map(|()| Self::Ping),
            ["_catalog"] => reads(method).map(|()| Self::ListRepositories),
            // The shortest upload paths first: `uploads` is no digest, and a name may hold any of these words.
            [repository @ .., "blobs", "uploads"] | [repository @ .., "blobs", "uploads", ""]
                if !repository.is_empty() =>
            {
                match *method {
                    Method::POST => Ok(Self::StartUpload(name(repository)?, Start::parse(query, known_as)?)),
                    _ => Err(NotOci::Method { allow: "POST" }),
                }
            }
            [repository @ .., "blobs", "uploads", session] if !repository.is_empty() => {
                let step = match *method {
                    Method::GET => UploadStep::Status,
                    Method::PATCH => UploadStep::Chunk,
                    Method::PUT => UploadStep::Finish(Digest::parse(&query.value("digest").unwrap_or_default())?),
                    Method::DELETE => UploadStep::Cancel,
                    _ => return Err(NotOci::Method { allow: "GET, PATCH, PUT, DELETE" }),
                };
                Ok(Self::ContinueUpload(name(repository)?, Session((*session).into()), step))
            }
            [repository @ .., "tags", "list"] if !repository.is_empty() => {
                reads(method)?;
                Ok(Self::ListTags(name(repository)?))
            }
            [repository @ .., "manifests", reference] if !repository.is_empty() => {
                let name = name(repository)?;
                let reference = Reference::parse(reference)?;
                match *method {
                    Method::GET | Method::HEAD => Ok(Self::ReadManifest(name, reference)),
                    Method::PUT => Ok(Self::WriteManifest(name, reference)),
                    Method::DELETE => Ok(Self::DeleteManifest(name, reference)),
                    _ => Err(NotOci::Method { allow: "GET, HEAD, PUT, DELETE" }),
                }
            }
            [repository @ .., "blobs", digest] if !repository.is_empty() => {
                let name = name(repository)?;
                let digest = Digest::parse(digest)?;
                match *method {
                    Method::GET | Method::HEAD => Ok(Self::ReadBlob(name, digest)),
                    Method::DELETE => Ok(Self::DeleteBlob(name, digest)),
                    _ => Err(NotOci::Method { allow: "GET, HEAD, DELETE" }),
                }
            }
            [repository @ .., "referrers", digest] if !repository.is_empty() => {
                reads(method)?;
                Ok(Self::ListReferrers(name(repository)?, Digest::parse(digest)?))
            }
            _ => Err(NotOci::Endpoint),
        }
    }

    /// The path a registry knows the operation by. Upload sessions have registry-made paths and are not covered.
    pub fn path(&self) -> String {
        match self {
            Self::Ping => "/v2/".to_owned(),
            Self::ListRepositories => "/v2/_catalog".to_owned(),
            Self::ListTags(name) => format!("/v2/{name}/tags/list"),
            Self::ListReferrers(name, digest) => format!("/v2/{name}/referrers/{digest}"),
            Self::ReadManifest(name, reference)
            | Self::WriteManifest(name, reference)
            | Self::DeleteManifest(name, reference) => format!("/v2/{name}/manifests/{reference}"),
            Self::ReadBlob(name, digest) | Self::DeleteBlob(name, digest) => format!("/v2/{name}/blobs/{digest}"),
            Self::StartUpload(name, _) | Self::ContinueUpload(name, ..) => format!("/v2/{name}/blobs/uploads/"),
        }
    }

    pub fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Ping | Self::ListRepositories => None,
            Self::ListTags(name)
            | Self::ListReferrers(name, _)
            | Self::ReadManifest(name, _)
            | Self::WriteManifest(name, _)
            | Self::DeleteManifest(name, _)
            | Self::ReadBlob(name, _)
            | Self::DeleteBlob(name, _)
            | Self::StartUpload(name, _)
            | Self::ContinueUpload(name, ..) => Some(name),
        }
    }

    /// The tag or digest, for the log.
    pub fn reference(&self) -> Option<&str> {
        match self {
            Self::ReadManifest(_, reference)
            | Self::WriteManifest(_, reference)
            | Self::DeleteManifest(_, reference) => Some(reference.as_str()),
            Self::ListReferrers(_, digest) | Self::ReadBlob(_, digest) | Self::DeleteBlob(_, digest) => {
                Some(digest.as_str())
            }
            Self::ContinueUpload(_, _, UploadStep::Finish(digest))
            | Self::StartUpload(_, Start::Whole(digest) | Start::Mount { digest, .. }) => Some(digest.as_str()),
            Self::Ping
            | Self::ListRepositories
            | Self::ListTags(_)
            | Self::StartUpload(..)
            | Self::ContinueUpload(..) => None,
        }
    }

    /// The digest the answer must be the content of.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::ReadManifest(_, reference) => reference.digest(),
            Self::ReadBlob(_, digest) => Some(digest),
            _ => None,
        }
    }

    pub fn access(&self) -> Access {
        match self {
            Self::Ping
            | Self::ListRepositories
            | Self::ListTags(_)
            | Self::ListReferrers(..)
            | Self::ReadManifest(..)
            | Self::ReadBlob(..) => Access::Pull,
            Self::WriteManifest(..) | Self::StartUpload(..) | Self::ContinueUpload(..) => Access::Push,
            Self::DeleteManifest(..) | Self::DeleteBlob(..) => Access::Delete,
        }
    }

    pub fn body_class(&self) -> BodyClass {
        match self {
            Self::WriteManifest(..) => BodyClass::Document,
            Self::StartUpload(_, Start::Whole(_))
            | Self::ContinueUpload(_, _, UploadStep::Chunk | UploadStep::Finish(_)) => BodyClass::Bulk,
            _ => BodyClass::Empty,
        }
    }

    /// A stable word for logs and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::ListRepositories => "list-repositories",
            Self::ListTags(_) => "list-tags",
            Self::ListReferrers(..) => "list-referrers",
            Self::ReadManifest(..) => "read-manifest",
            Self::WriteManifest(..) => "write-manifest",
            Self::DeleteManifest(..) => "delete-manifest",
            Self::ReadBlob(..) => "read-blob",
            Self::DeleteBlob(..) => "delete-blob",
            Self::StartUpload(_, Start::Mount { .. }) => "mount-blob",
            Self::StartUpload(..) => "start-upload",
            Self::ContinueUpload(_, _, UploadStep::Status) => "upload-status",
            Self::ContinueUpload(_, _, UploadStep::Chunk) => "upload-chunk",
            Self::ContinueUpload(_, _, UploadStep::Finish(_)) => "finish-upload",
            Self::ContinueUpload(_, _, UploadStep::Cancel) => "cancel-upload",
        }
    }
}

impl Start {
    fn parse(query: &Query, known_as: &KnownAs<'_>) -> Result<Self, NotOci> {
        if let Some(digest) = query.value("mount") {
            let from = query.value("from").map(|name| RepositoryName::parse(&name)).transpose()?;
            let from = from.map(known_as);
            return Ok(Self::Mount { digest: Digest::parse(&digest)?, from });
        }
        Ok(match query.value("digest") {
            Some(digest) => Self::Whole(Digest::parse(&digest)?),
            None => Self::Session,
        })
    }
}

fn reads(method: &Method) -> Result<(), NotOci> {
    if matches!(*method, Method::GET | Method::HEAD) { Ok(()) } else { Err(NotOci::Method { allow: "GET, HEAD" }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: &str, path: &str) -> Result<Operation, NotOci> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        Operation::parse(&method, &ApiPath::parse(path).unwrap(), &Query::parse(query), &|name| {
            name.in_namespace(Some("library"))
        })
    }

    fn digest() -> String {
        format!("sha256:{}", "a".repeat(64))
    }

    #[test]
    fn every_endpoint_is_recognised_and_rendered_back() {
        let digest = digest();
        for (method, path, word) in [
            ("GET", "/v2/".to_owned(), "ping"),
            ("HEAD", "/v2/_catalog".to_owned(), "list-repositories"),
            ("GET", "/v2/a/b/tags/list".to_owned(), "list-tags"),
            ("GET", format!("/v2/a/b/referrers/{digest}"), "list-referrers"),
            ("HEAD", "/v2/a/b/manifests/3.10".to_owned(), "read-manifest"),
            ("PUT", format!("/v2/a/b/manifests/{digest}"), "write-manifest"),
            ("DELETE", "/v2/a/b/manifests/x".to_owned(), "delete-manifest"),
            ("GET", format!("/v2/a/b/blobs/{digest}"), "read-blob"),
            ("DELETE", format!("/v2/a/b/blobs/{digest}"), "delete-blob"),
            ("POST", "/v2/a/b/blobs/uploads/".to_owned(), "start-upload"),
        ] {
            let operation = parse(method, &path).unwrap();
            assert_eq!((operation.as_str(), operation.path()), (word, path.clone()), "{method} {path}");
        }
    }

    #[test]
    fn names_may_hold_the_words_of_the_api() {
        let operation = parse("GET", "/v2/a/manifests/tags/list/manifests/x").unwrap();
        assert_eq!(operation.repository().unwrap().as_str(), "a/manifests/tags/list");
        assert_eq!(parse("GET", "/v2/tags/tags/list").unwrap().repository().unwrap().as_str(), "library/tags");
    }

    #[test]
    fn what_is_no_request_of_the_api_says_why() {
        for (method, path, why) in [
            ("OPTIONS", "/v2/", NotOci::Method { allow: "GET, HEAD" }),
            ("POST", "/v2/_catalog", NotOci::Method { allow: "GET, HEAD" }),
            ("PATCH", "/v2/a/manifests/x", NotOci::Method { allow: "GET, HEAD, PUT, DELETE" }),
            ("GET", "/v2/a/blobs/uploads/", NotOci::Method { allow: "POST" }),
            ("GET", "/v2/a", NotOci::Endpoint),
            ("GET", "/v2/a/b/c", NotOci::Endpoint),
            ("GET", "/v2/manifests/x", NotOci::Endpoint),
            ("GET", "/v2/_catalog/", NotOci::Endpoint),
            ("GET", "/v2/A/manifests/x", NotOci::Name(BadName)),
            ("GET", "/v2/a/../b/manifests/x", NotOci::Name(BadName)),
            ("GET", "/v2//manifests/x", NotOci::Name(BadName)),
            ("GET", "/v2/a/manifests/.x", NotOci::Reference(BadReference::Tag)),
            ("GET", "/v2/a/manifests/..", NotOci::Reference(BadReference::Tag)),
            ("GET", "/v2/a/manifests/sha256:x", NotOci::Reference(BadReference::Digest)),
            ("GET", "/v2/a/blobs/latest", NotOci::Reference(BadReference::Digest)),
            ("GET", "/v2/a/referrers/latest", NotOci::Reference(BadReference::Digest)),
        ] {
            assert_eq!(parse(method, path), Err(why), "{method} {path}");
        }
    }

    #[test]
    fn uploads_are_told_apart_by_their_queries() {
        let digest = digest();
        let parsed = |query: &str| parse("POST", &format!("/v2/a/b/blobs/uploads/?{query}"));
        let whole = Digest::parse(&digest).unwrap();
        for (query, start) in [
            (String::new(), Ok(Start::Session)),
            (format!("digest={digest}"), Ok(Start::Whole(whole.clone()))),
            (format!("mount={}", digest.replace(':', "%3A")), Ok(Start::Mount { digest: whole.clone(), from: None })),
            (
                format!("from=python&mount={digest}"),
                Ok(Start::Mount { digest: whole.clone(), from: RepositoryName::parse("library/python").ok() }),
            ),
            ("mount=x".to_owned(), Err(NotOci::Reference(BadReference::Digest))),
            (format!("mount={digest}&from=../x"), Err(NotOci::Name(BadName))),
        ] {
            let name = RepositoryName::parse("a/b").unwrap();
            assert_eq!(parsed(&query), start.map(|start| Operation::StartUpload(name, start)), "{query}");
        }
        let session = || Session("abc".into());
        for (method, query, step) in [
            ("GET", String::new(), Ok(UploadStep::Status)),
            ("PATCH", String::new(), Ok(UploadStep::Chunk)),
            ("PUT", format!("?digest={digest}"), Ok(UploadStep::Finish(whole.clone()))),
            ("PUT", String::new(), Err(NotOci::Reference(BadReference::Digest))),
            ("DELETE", String::new(), Ok(UploadStep::Cancel)),
        ] {
            let name = RepositoryName::parse("a/b").unwrap();
            let expected = step.map(|step| Operation::ContinueUpload(name, session(), step));
            assert_eq!(parse(method, &format!("/v2/a/b/blobs/uploads/abc{query}")), expected, "{method}{query}");
        }
    }

    #[test]
    fn access_follows_the_operation() {
        for (method, path, access) in [
            ("GET", "/v2/a/manifests/x", Access::Pull),
            ("PUT", "/v2/a/manifests/x", Access::Push),
            ("DELETE", "/v2/a/manifests/x", Access::Delete),
            ("DELETE", "/v2/a/blobs/uploads/1", Access::Push),
        ] {
            assert_eq!(parse(method, path).unwrap().access(), access, "{method} {path}");
        }
    }
}
