//! The operations of the distribution API, recognized from method, path and query.

use http::Method;

use super::extension::{ExtensionPath, InvalidExtension};
use super::name::{InvalidRepositoryName, RepositoryName};
use super::path::ApiPath;
use super::query::Query;
use super::reference::{Digest, InvalidReference, Reference};

/// An operation of the distribution API, with the names it is about. Endpoints as in the distribution specification,
/// "Endpoints".
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
    /// The read of an extension's endpoint.
    ReadExtension(RepositoryName, ExtensionPath),
    DeleteBlob(RepositoryName, Digest),
    StartUpload(RepositoryName, UploadStart),
    ContinueUpload(RepositoryName, SessionId, UploadStep),
}

/// What a `POST` to `/v2/<name>/blobs/uploads/` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadStart {
    /// Open an upload session.
    Session,
    /// Accept the whole blob in the body of the POST.
    SinglePost(Digest),
    /// Mount the blob from the repository `from` of the same registry, or from any repository without `from`.
    Mount { digest: Digest, from: Option<RepositoryName> },
}

/// The last path segment of an upload location that regpass gave to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionId(pub Box<str>);

/// What a request to an upload session asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadStep {
    Status,
    Chunk,
    Finish(Digest),
    Cancel,
}

/// How regpass handles the body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// The operation has no body. If a client sends one, regpass does not forward it.
    Empty,
    /// Small enough to be buffered whole and sent again.
    Buffered,
    /// A blob or a part of one.
    Streamed,
}

/// What a request does at a registry: the words of `allow` in the configuration.
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

/// Maps the repository name in the client's request to the name at the registry.
pub type RepositoryMapping<'a> = dyn Fn(RepositoryName) -> RepositoryName + 'a;

/// Why a request is not an operation of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    #[error(transparent)]
    Name(#[from] InvalidRepositoryName),
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    #[error(transparent)]
    Extension(#[from] InvalidExtension),
    #[error("the distribution API has no such endpoint")]
    Endpoint,
    #[error("this endpoint accepts only {allow}")]
    Method { allow: &'static str },
}

impl OperationError {
    /// Whether the request matches no endpoint, because path, method or repository name is wrong. If not, the endpoint
    /// exists and only the tag or digest is invalid.
    pub fn is_unknown_endpoint(self) -> bool {
        matches!(self, Self::Endpoint | Self::Method { .. } | Self::Name(_) | Self::Extension(_))
    }
}

impl Operation {
    /// Recognizes a request. `known_as` maps each repository name to the registry's own.
    pub fn parse(
        method: &Method,
        path: &ApiPath,
        query: &Query,
        known_as: &RepositoryMapping<'_>,
    ) -> Result<Self, OperationError> {
        let segments: Vec<&str> = path.segments().iter().map(|segment| &**segment).collect();
        let name = |segments: &[&str]| -> Result<RepositoryName, OperationError> {
            Ok(known_as(RepositoryName::parse(&segments.join("/"))?))
        };
        match segments.as_slice() {
            [] => require_read(method).map(|()| Self::Ping),
            ["_catalog"] => require_read(method).map(|()| Self::ListRepositories),
            // Upload paths come before blob paths, which would take `uploads` for a digest. A repository name may
            // contain any of these words.
            [repository @ .., "blobs", "uploads"] | [repository @ .., "blobs", "uploads", ""]
                if !repository.is_empty() =>
            {
                match *method {
                    Method::POST => Ok(Self::StartUpload(name(repository)?, UploadStart::parse(query, known_as)?)),
                    _ => Err(OperationError::Method { allow: "POST" }),
                }
            }
            [repository @ .., "blobs", "uploads", session] if !repository.is_empty() => {
                let step = match *method {
                    Method::GET => UploadStep::Status,
                    Method::PATCH => UploadStep::Chunk,
                    Method::PUT => UploadStep::Finish(Digest::parse(&query.value("digest").unwrap_or_default())?),
                    Method::DELETE => UploadStep::Cancel,
                    _ => return Err(OperationError::Method { allow: "GET, PATCH, PUT, DELETE" }),
                };
                Ok(Self::ContinueUpload(name(repository)?, SessionId((*session).into()), step))
            }
            [repository @ .., "tags", "list"] if !repository.is_empty() => {
                require_read(method)?;
                Ok(Self::ListTags(name(repository)?))
            }
            [repository @ .., "manifests", reference] if !repository.is_empty() => {
                let name = name(repository)?;
                let reference = Reference::parse(reference)?;
                match *method {
                    Method::GET | Method::HEAD => Ok(Self::ReadManifest(name, reference)),
                    Method::PUT => Ok(Self::WriteManifest(name, reference)),
                    Method::DELETE => Ok(Self::DeleteManifest(name, reference)),
                    _ => Err(OperationError::Method { allow: "GET, HEAD, PUT, DELETE" }),
                }
            }
            [repository @ .., "blobs", digest] if !repository.is_empty() => {
                let name = name(repository)?;
                let digest = Digest::parse(digest)?;
                match *method {
                    Method::GET | Method::HEAD => Ok(Self::ReadBlob(name, digest)),
                    Method::DELETE => Ok(Self::DeleteBlob(name, digest)),
                    _ => Err(OperationError::Method { allow: "GET, HEAD, DELETE" }),
                }
            }
            [repository @ .., "referrers", digest] if !repository.is_empty() => {
                require_read(method)?;
                Ok(Self::ListReferrers(name(repository)?, Digest::parse(digest)?))
            }
            // Last, so that no path that is an endpoint of the API to some registry passes as an extension.
            _ => {
                let start = segments.iter().position(|segment| segment.starts_with('_'));
                let (repository, extension) = segments.split_at(start.ok_or(OperationError::Endpoint)?);
                let extension = ExtensionPath::parse(extension)?;
                if repository.is_empty() {
                    return Err(InvalidExtension.into());
                }
                require_read(method)?;
                Ok(Self::ReadExtension(name(repository)?, extension))
            }
        }
    }

    /// The operation's path at the registry. For an upload session it is the path that starts one: the registry chooses
    /// the session's own.
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
            Self::ReadExtension(name, extension) => format!("/v2/{name}/{}", extension.as_str()),
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
            | Self::ReadExtension(name, _)
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
            Self::ListReferrers(_, digest)
            | Self::ReadBlob(_, digest)
            | Self::DeleteBlob(_, digest)
            | Self::ContinueUpload(_, _, UploadStep::Finish(digest))
            | Self::StartUpload(_, UploadStart::SinglePost(digest) | UploadStart::Mount { digest, .. }) => {
                Some(digest.as_str())
            }
            Self::Ping
            | Self::ListRepositories
            | Self::ListTags(_)
            | Self::ReadExtension(..)
            | Self::StartUpload(..)
            | Self::ContinueUpload(..) => None,
        }
    }

    /// The digest that the response body must have. `None` for a tag, and for operations other than reading a
    /// manifest or a blob.
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
            | Self::ReadBlob(..)
            | Self::ReadExtension(..) => Access::Pull,
            Self::WriteManifest(..) | Self::StartUpload(..) | Self::ContinueUpload(..) => Access::Push,
            Self::DeleteManifest(..) | Self::DeleteBlob(..) => Access::Delete,
        }
    }

    pub fn body_kind(&self) -> BodyKind {
        match self {
            Self::WriteManifest(..) => BodyKind::Buffered,
            Self::StartUpload(_, UploadStart::SinglePost(_))
            | Self::ContinueUpload(_, _, UploadStep::Chunk | UploadStep::Finish(_)) => BodyKind::Streamed,
            _ => BodyKind::Empty,
        }
    }

    /// The operation's fixed name in logs and metrics.
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
            Self::ReadExtension(..) => "read-extension",
            Self::DeleteBlob(..) => "delete-blob",
            Self::StartUpload(_, UploadStart::Mount { .. }) => "mount-blob",
            Self::StartUpload(..) => "start-upload",
            Self::ContinueUpload(_, _, UploadStep::Status) => "upload-status",
            Self::ContinueUpload(_, _, UploadStep::Chunk) => "upload-chunk",
            Self::ContinueUpload(_, _, UploadStep::Finish(_)) => "finish-upload",
            Self::ContinueUpload(_, _, UploadStep::Cancel) => "cancel-upload",
        }
    }
}

impl UploadStart {
    fn parse(query: &Query, known_as: &RepositoryMapping<'_>) -> Result<Self, OperationError> {
        if let Some(digest) = query.value("mount") {
            let from = query.value("from").map(|name| RepositoryName::parse(&name)).transpose()?;
            let from = from.map(known_as);
            return Ok(Self::Mount { digest: Digest::parse(&digest)?, from });
        }
        Ok(match query.value("digest") {
            Some(digest) => Self::SinglePost(Digest::parse(&digest)?),
            None => Self::Session,
        })
    }
}

fn require_read(method: &Method) -> Result<(), OperationError> {
    if matches!(*method, Method::GET | Method::HEAD) {
        Ok(())
    } else {
        Err(OperationError::Method { allow: "GET, HEAD" })
    }
}

#[cfg(test)]
mod tests;
