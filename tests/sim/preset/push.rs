//! How registries take uploads, mounts and deletes.

use super::super::reply::Reply;
use super::Preset;

#[derive(Clone)]
pub struct Push {
    pub locations: Locations,
    /// In the query of every session's Location, before `_state`; like it they must come back unchanged.
    pub parameters: &'static [(&'static str, &'static str)],
    pub single_post: SinglePost,
    pub patches: Patches,
    /// What the closing PUT may carry.
    pub most_in_put: Option<Limit>,
    /// Before the numbers of a status answer's `Range`: nothing, or `bytes=`.
    pub status_prefix: &'static str,
    pub mounts: Mounts,
    pub deletes: Deletes,
    /// The answer to a push into a repository that nobody created; `None` where pushing creates.
    pub must_exist: Option<Reply>,
    /// Otherwise pushed blobs are only counted and hashed, which costs no memory.
    pub keep_blobs: bool,
}

/// Where an upload session lives; under the addresses of the other forms it is unknown.
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
    Outside,
    /// `http://uploads.host/v2/NAME/blobs/uploads/ID?signature=…&_state=…`, which takes no credential
    OtherHost,
}

/// A greater number than this is refused, at once where the request tells it.
#[derive(Clone, Debug)]
pub struct Limit {
    pub most: u64,
    pub refusal: Reply,
}

/// What becomes of `POST …/uploads/?digest=…`.
#[derive(Clone, Debug)]
pub enum SinglePost {
    /// 201
    Taken,
    /// 202 with a session, the body unread.
    Ignored,
    /// 201, but 415 unless the body is `application/octet-stream`.
    OctetStream,
    Refused(Reply),
}

#[derive(Clone)]
pub struct Patches {
    pub status: u16,
    /// The answer's `Range` never goes beyond the first chunk.
    pub range_stuck: bool,
    /// Bytes of one that has a Content-Range.
    pub most_ranged: Option<Limit>,
    /// How many one session takes.
    pub count: Option<Limit>,
    /// The answer to one without a Content-Range that is not the first; `None` where it goes on.
    pub second_stream: Option<Reply>,
    /// Each one replaces what came before it.
    pub replace: bool,
    pub length: Length,
    pub length_missing: Reply,
    /// The answer to a Content-Range that is not `start-end`: `bytes ` in front, `/total` behind.
    pub range_malformed: Reply,
}

/// When a PATCH must tell its Content-Length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    Optional,
    WithRange,
    Always,
}

#[derive(Clone, Debug)]
pub struct Mounts {
    pub source: Source,
    pub without_from: WithoutFrom,
}

/// What is asked of the repository to mount from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The token must cover it; when it is missing, there is a session instead.
    Scoped,
    /// The token must cover it; when it is missing, that is a 401 too.
    Challenged,
    /// When it is missing or not the caller's to read, there is a session instead.
    Optional,
    /// Mounts never succeed: always a session.
    Never,
}

/// `?mount=` alone.
#[derive(Clone, Debug)]
pub enum WithoutFrom {
    /// A session.
    Ignored,
    /// Mounted from wherever the caller may read it.
    Anywhere,
    Refused(Reply),
}

/// `None` where it works, or how it is refused.
#[derive(Clone, Debug, Default)]
pub struct Deletes {
    pub tags: Option<Reply>,
    pub manifests: Option<Reply>,
    pub blobs: Option<Reply>,
}

impl Limit {
    pub fn new(most: u64, refusal: Reply) -> Self {
        Self { most, refusal }
    }
}

impl Deletes {
    /// Nothing can be deleted.
    pub fn refused(refusal: &Reply) -> Self {
        let refusal = Some(refusal.clone());
        Self { tags: refusal.clone(), manifests: refusal.clone(), blobs: refusal }
    }
}

impl Push {
    /// CNCF Distribution's (registry/handlers/blobupload.go).
    pub(super) fn plain() -> Self {
        Self {
            locations: Locations::AbsoluteWithState,
            parameters: &[],
            single_post: SinglePost::Taken,
            patches: Patches {
                status: 202,
                range_stuck: false,
                most_ranged: None,
                count: None,
                second_stream: None,
                replace: false,
                length: Length::Optional,
                length_missing: Reply::error(400, "CONTENT_LENGTH_INVALID", "content length is required"),
                range_malformed: Reply::error(416, "RANGE_INVALID", "invalid content range"),
            },
            most_in_put: None,
            status_prefix: "",
            mounts: Mounts { source: Source::Scoped, without_from: WithoutFrom::Ignored },
            deletes: Deletes::default(),
            must_exist: None,
            keep_blobs: true,
        }
    }
}

impl Preset {
    /// Changes the rules for writes.
    #[must_use]
    pub fn pushes(mut self, change: impl FnOnce(&mut Push)) -> Self {
        change(&mut self.push);
        self
    }

    #[must_use]
    pub fn locations(self, locations: Locations) -> Self {
        self.pushes(|push| push.locations = locations)
    }
}
