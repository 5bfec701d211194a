//! How a registry handles uploads, mounts and deletes.

use super::super::reply::Reply;
use super::Preset;

/// How a registry handles writes.
#[derive(Clone)]
pub struct PushRules {
    pub locations: Locations,
    /// Parameters in the query of every session's Location, before `_state`. The client has to send the query
    /// unchanged.
    pub location_parameters: &'static [(&'static str, &'static str)],
    pub monolithic_post: MonolithicPost,
    pub patches: PatchRules,
    /// The most bytes that the closing PUT may carry.
    pub put_limit: Option<Limit>,
    /// Precedes the numbers in the `Range` of a status reply: nothing, or `bytes=`.
    pub status_range_prefix: &'static str,
    pub mounts: MountRules,
    pub deletes: DeleteRules,
    /// The reply to a push into a repository that does not exist; `None` if the push creates it.
    pub unknown_repository_reply: Option<Reply>,
    /// Keeps the bytes of pushed blobs. Otherwise they are only counted and hashed, which costs no memory.
    pub keeps_blob_bytes: bool,
}

/// The form of the URL of an upload session. Under a URL of another form the session is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locations {
    /// `http://host/v2/NAME/blobs/uploads/ID?_state=…`
    AbsoluteWithState,
    /// `/v2/NAME/blobs/uploads/ID?_state=…`
    RelativeWithState,
    /// `/v2/NAME/blobs/uploads/ID?_state=…&`
    RelativeTrailing,
    /// `../uploads/ID?_state=…`, relative to the request
    PathRelative,
    /// `//host/v2/NAME/blobs/uploads/ID?_state=…`
    SchemeRelative,
    /// `/v2/NAME/blobs/upload/ID`
    Singular,
    /// `/artifacts-uploads/namespaces/P/repositories/R/uploads/ID`, which does not name the whole repository
    OutsideApi,
    /// `http://uploads.host/v2/NAME/blobs/uploads/ID?signature=…&_state=…`, where credentials are forbidden
    OtherHost,
}

/// A maximum, in bytes or in requests, and the reply when it is exceeded. A declared body length is checked before the
/// body is read.
#[derive(Clone, Debug)]
pub struct Limit {
    pub max: u64,
    pub rejection: Reply,
}

/// The reply to `POST …/uploads/?digest=…`.
#[derive(Clone, Debug)]
pub enum MonolithicPost {
    /// 201: the body is the blob.
    Accepted,
    /// 202 with a session; the body is not read.
    Ignored,
    /// 201, but 415 unless the body is `application/octet-stream`.
    OctetStreamOnly,
    Rejected(Reply),
}

/// How a registry handles the PATCH requests of an upload.
#[derive(Clone)]
pub struct PatchRules {
    pub status: u16,
    /// The `Range` of the reply stays at the end of the first chunk.
    pub range_stays_at_first_chunk: bool,
    /// The most bytes of a PATCH with a Content-Range.
    pub ranged_limit: Option<Limit>,
    /// The most PATCH requests of one session.
    pub per_session_limit: Option<Limit>,
    /// The reply to a PATCH without a Content-Range that is not the first of its session; `None` if such a PATCH
    /// appends.
    pub second_stream_rejection: Option<Reply>,
    /// Each PATCH replaces what was received before it.
    pub replaces_previous: bool,
    /// Content-Range is ignored: every PATCH appends, wherever it says that it begins.
    pub ignores_range: bool,
    pub content_length: ContentLength,
    pub missing_length_rejection: Reply,
    /// The reply to a Content-Range that is not `start-end`, for example with `bytes ` before it or `/total` after it.
    pub malformed_range_rejection: Reply,
}

/// When a PATCH has to have a Content-Length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentLength {
    Optional,
    RequiredWithRange,
    Required,
}

/// How a registry handles mounts.
#[derive(Clone, Debug)]
pub struct MountRules {
    pub source: MountSource,
    pub without_from: MountWithoutFrom,
}

/// What a mount requires of the source repository (`from=`). If the source lacks the blob, a session opens instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// The token has to grant `pull` of the source, otherwise the reply is a 401. If the source does not exist, a
    /// session opens instead.
    ScopeRequired,
    /// As `ScopeRequired`, but the reply is a 401 too if the source does not exist.
    ScopeAndSourceRequired,
    /// No scope. If the source does not exist or the caller may not read it, a session opens instead.
    Optional,
    /// As `Optional`, but a manifest of the source has to refer to the blob.
    Referenced,
    /// Mounts never succeed: a session always opens.
    Never,
}

/// The reply to `?mount=` without `from=`.
#[derive(Clone, Debug)]
pub enum MountWithoutFrom {
    /// A session opens.
    OpensSession,
    /// The blob is mounted from any repository that the caller may read.
    AnyReadable,
    Rejected(Reply),
}

/// The replies that reject deletes; `None` for what can be deleted.
#[derive(Clone, Debug, Default)]
pub struct DeleteRules {
    pub tags: Option<Reply>,
    pub manifests: Option<Reply>,
    pub blobs: Option<Reply>,
}

impl Limit {
    pub fn new(max: u64, rejection: Reply) -> Self {
        Self { max, rejection }
    }
}

impl DeleteRules {
    /// Rejects all deletes with this reply.
    pub fn rejected(rejection: &Reply) -> Self {
        let rejection = Some(rejection.clone());
        Self { tags: rejection.clone(), manifests: rejection.clone(), blobs: rejection }
    }
}

impl PushRules {
    /// The rules of CNCF Distribution (registry/handlers/blobupload.go).
    pub(super) fn plain() -> Self {
        Self {
            locations: Locations::AbsoluteWithState,
            location_parameters: &[],
            monolithic_post: MonolithicPost::Accepted,
            patches: PatchRules {
                status: 202,
                range_stays_at_first_chunk: false,
                ranged_limit: None,
                per_session_limit: None,
                second_stream_rejection: None,
                replaces_previous: false,
                ignores_range: false,
                content_length: ContentLength::Optional,
                missing_length_rejection: Reply::error(400, "CONTENT_LENGTH_INVALID", "content length is required"),
                malformed_range_rejection: Reply::error(416, "RANGE_INVALID", "invalid content range"),
            },
            put_limit: None,
            status_range_prefix: "",
            mounts: MountRules { source: MountSource::ScopeRequired, without_from: MountWithoutFrom::OpensSession },
            deletes: DeleteRules::default(),
            unknown_repository_reply: None,
            keeps_blob_bytes: true,
        }
    }
}

impl Preset {
    /// Changes how the registry handles pushes.
    #[must_use]
    pub fn with_push_rules(mut self, change: impl FnOnce(&mut PushRules)) -> Self {
        change(&mut self.push);
        self
    }

    /// Changes the form of the URLs of upload sessions.
    #[must_use]
    pub fn upload_locations(self, locations: Locations) -> Self {
        self.with_push_rules(|push| push.locations = locations)
    }
}
