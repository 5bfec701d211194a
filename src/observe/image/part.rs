//! What a request is in a pull or a push.

use http::Method;

use super::Direction;
use crate::oci::operation::{Operation, Start, UploadStep};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// HEAD of a manifest: before a pull or a push, or for its own sake.
    Look,
    /// HEAD of a blob: before a push, mostly.
    Probe,
    ReadManifest,
    ReadBlob,
    WriteManifest,
    /// The request with which a blob has arrived, if all goes well.
    WriteBlob,
    /// A step on the way there.
    Upload,
}

impl Part {
    pub fn of(operation: &Operation, method: &Method) -> Option<Self> {
        let is_head = method == Method::HEAD;
        Some(match operation {
            Operation::ReadManifest(..) if is_head => Self::Look,
            Operation::ReadBlob(..) if is_head => Self::Probe,
            Operation::ReadManifest(..) => Self::ReadManifest,
            Operation::ReadBlob(..) => Self::ReadBlob,
            Operation::WriteManifest(..) => Self::WriteManifest,
            Operation::StartUpload(_, Start::Mount { .. } | Start::Whole(_))
            | Operation::ContinueUpload(_, _, UploadStep::Finish(_)) => Self::WriteBlob,
            Operation::StartUpload(..) | Operation::ContinueUpload(_, _, UploadStep::Chunk | UploadStep::Status) => {
                Self::Upload
            }
            _ => return None,
        })
    }

    /// Which way it shows the image to go, if it does.
    pub(super) fn direction(self) -> Option<Direction> {
        match self {
            Self::Look | Self::Probe => None,
            Self::ReadManifest | Self::ReadBlob => Some(Direction::Pull),
            Self::WriteManifest | Self::WriteBlob | Self::Upload => Some(Direction::Push),
        }
    }

    /// The images it may be part of, the likeliest first: of one that goes its way, or of one that was only looked at.
    pub(super) fn joins(self) -> &'static [Option<Direction>] {
        match self.direction() {
            Some(Direction::Pull) => &[Some(Direction::Pull), None],
            Some(Direction::Push) => &[Some(Direction::Push), None],
            None => &[Some(Direction::Push), Some(Direction::Pull), None],
        }
    }

    pub(super) fn is_manifest(self) -> bool {
        matches!(self, Self::Look | Self::ReadManifest | Self::WriteManifest)
    }

    /// Whether it only asks what there is: that there is nothing is then no failure.
    pub(super) fn only_looks(self) -> bool {
        matches!(self, Self::Look | Self::Probe)
    }
}
