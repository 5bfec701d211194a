//! Redirects of reads: regpass follows them without credentials, or passes them to the client.

mod hops;
mod passed_redirects;
mod targets;

use crate::blob_download::BlobDownload;
use crate::sim::{AuthMode, Hop, HopTarget, Preset, Sim};

/// A registry with token authentication that serves its blob through `hops`; regpass has a token already.
async fn start(hops: &[Hop], more: &str) -> BlobDownload {
    start_in(Sim::memory(), hops, more).await
}

async fn start_in(sim: Sim, hops: &[Hop], more: &str) -> BlobDownload {
    let preset = Preset::distribution(AuthMode::Token).blob_hops(hops);
    let setup = BlobDownload::start(sim, preset, 100_000, more).await;
    assert_eq!(setup.regpass.get("/v2/acme/app/manifests/1").await.status, 200);
    setup.sim.ledger().take();
    setup
}

/// Expected lines of the ledger.
impl BlobDownload {
    /// The request for the blob at the registry.
    fn at_registry(&self, method: &str, status: u16) -> String {
        format!("registry {method} {} bearer#1 {status}", self.target)
    }

    /// The last request of a chain of redirects, at the signed URL.
    fn at_signed_url(&self, server: &str, status: u16) -> String {
        format!("{server} GET /signed/{}?expires=…&signature=… anonymous {status}", self.blob.digest)
    }

    /// The request to a server that redirects again, between the registry and the signed URL.
    fn at_hop(&self, number: u32, server: &str, status: u16) -> String {
        format!("{server} GET /hop/{number}/signed/{}?expires=…&signature=… anonymous {status}", self.blob.digest)
    }

    #[track_caller]
    fn expect(&self, lines: &[String]) {
        self.sim.ledger().expect(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

const TO_BLOBS: Hop = Hop::new(307, HopTarget::BlobStore);
