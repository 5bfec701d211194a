//! Transfer of blobs: regpass resumes an interrupted transfer; if it cannot, the response to the client is cut off.

mod broken_transfers;
mod ranges;
mod resumption;
mod sizes;
mod streaming;
mod wrong_bytes;

use crate::blob_download::BlobDownload;
use crate::harness::Reply;
use crate::sim::{self, AuthMode, Preset, Sim};

const SIZE: usize = 200_000;

async fn start() -> BlobDownload {
    start_with(Sim::memory(), Preset::distribution(AuthMode::Open)).await
}

async fn start_with(sim: Sim, preset: Preset) -> BlobDownload {
    BlobDownload::start(sim, preset, SIZE, "").await
}

impl BlobDownload {
    /// Server, status and requested range of each request since the ledger was emptied; empties it.
    fn requests(&self) -> Vec<String> {
        let describe = |entry: &sim::Entry| {
            let range = entry.headers.get("range").map_or("whole", |range| range.to_str().unwrap());
            format!("{} {} {range}", entry.server, entry.status.map_or(0, |status| status.as_u16()))
        };
        self.sim.ledger().take().iter().map(describe).collect()
    }

    /// Asserts that the response to the client is cut off after correct bytes of the blob.
    #[track_caller]
    fn assert_broken(&self, reply: &Reply) {
        assert_eq!((reply.status.as_u16(), reply.complete), (200, false));
        assert_eq!(reply.header("content-length"), Some("200000"));
        assert!(self.blob.slice().to_bytes().starts_with(&reply.body), "other bytes than the blob's");
    }
}
