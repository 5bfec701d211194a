//! The role of a request in a pull or push.

use http::Method;

use super::Direction;
use crate::oci::operation::{Operation, UploadStart, UploadStep};

/// What a request contributes to a pull or push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestRole {
    /// HEAD of a manifest: before a pull or push, or on its own.
    CheckManifest,
    /// HEAD of a blob: usually before a push.
    CheckBlob,
    ReadManifest,
    ReadBlob,
    WriteManifest,
    /// The request that completes a blob at the registry.
    WriteBlob,
    /// An earlier step of an upload.
    Upload,
}

impl RequestRole {
    /// `None` for operations that are not part of a pull or push.
    pub fn of(operation: &Operation, method: &Method) -> Option<Self> {
        let is_head = method == Method::HEAD;
        Some(match operation {
            Operation::ReadManifest(..) if is_head => Self::CheckManifest,
            Operation::ReadBlob(..) if is_head => Self::CheckBlob,
            Operation::ReadManifest(..) => Self::ReadManifest,
            Operation::ReadBlob(..) => Self::ReadBlob,
            Operation::WriteManifest(..) => Self::WriteManifest,
            Operation::StartUpload(_, UploadStart::Mount { .. } | UploadStart::SinglePost(_))
            | Operation::ContinueUpload(_, _, UploadStep::Finish(_)) => Self::WriteBlob,
            Operation::StartUpload(..) | Operation::ContinueUpload(_, _, UploadStep::Chunk | UploadStep::Status) => {
                Self::Upload
            }
            _ => return None,
        })
    }

    /// The direction that the request proves; `None` for existence checks.
    pub(super) fn direction(self) -> Option<Direction> {
        match self {
            Self::CheckManifest | Self::CheckBlob => None,
            Self::ReadManifest | Self::ReadBlob => Some(Direction::Pull),
            Self::WriteManifest | Self::WriteBlob | Self::Upload => Some(Direction::Push),
        }
    }

    /// Directions of the images that the request may belong to, most likely first. `None` stands for an image with
    /// existence checks only.
    pub(super) fn directions_to_join(self) -> &'static [Option<Direction>] {
        match self.direction() {
            Some(Direction::Pull) => &[Some(Direction::Pull), None],
            Some(Direction::Push) => &[Some(Direction::Push), None],
            None => &[Some(Direction::Push), Some(Direction::Pull), None],
        }
    }

    pub(super) fn is_manifest(self) -> bool {
        matches!(self, Self::CheckManifest | Self::ReadManifest | Self::WriteManifest)
    }

    /// Whether the request only asks if something exists. A 404 is then not a failure.
    pub(super) fn is_existence_check(self) -> bool {
        matches!(self, Self::CheckManifest | Self::CheckBlob)
    }
}
