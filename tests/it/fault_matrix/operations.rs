//! The operations of the matrix.

use bytes::Bytes;
use http::{Method, Request};

use super::Stage;
use crate::harness::{manifest_put, request, with_header};
use crate::sim::{Blob, Image, ImageFormat};

/// One request of a client.
pub struct Operation {
    pub name: &'static str,
    /// The status without a fault.
    pub status: u16,
    /// Whether the blob store serves it.
    is_stored: bool,
    /// Whether regpass can verify the whole content.
    pub is_verified: bool,
    /// Whether the client names a digest to read.
    pub names_digest: bool,
    pub request: fn() -> Request<Bytes>,
}

impl Operation {
    pub fn reaches(&self, stage: Stage) -> bool {
        stage != Stage::BlobStore || self.is_stored
    }
}

pub const OPERATIONS: &[Operation] = &[
    Operation {
        is_verified: true,
        ..operation("read-manifest by tag", 200, || request(Method::GET, "/v2/acme/app/manifests/1"))
    },
    Operation {
        is_verified: true,
        names_digest: true,
        ..operation("read-manifest by digest", 200, || request(Method::GET, &manifest_path()))
    },
    Operation { names_digest: true, ..operation("head-manifest", 200, || request(Method::HEAD, &manifest_path())) },
    operation("list-tags", 200, || request(Method::GET, "/v2/acme/app/tags/list")),
    operation("list-referrers", 200, || request(Method::GET, &manifest_path().replace("manifests", "referrers"))),
    Operation { is_verified: true, ..stored("read-blob", 200, || request(Method::GET, &blob_path())) },
    stored("head-blob", 200, || request(Method::HEAD, &blob_path())),
    stored("read-blob range", 206, || with_header(request(Method::GET, &blob_path()), "range", "bytes=1000-70000")),
    operation("start-upload", 202, || request(Method::POST, "/v2/acme/app/blobs/uploads/")),
    operation("upload whole", 201, || {
        let blob = Blob::random(9, 50_000);
        let mut post = request(Method::POST, &format!("/v2/acme/app/blobs/uploads/?digest={}", blob.digest));
        *post.body_mut() = blob.slice().to_bytes();
        with_header(post, "content-type", "application/octet-stream")
    }),
    operation("push-manifest", 201, || manifest_put("/v2/acme/app/manifests/2", &image())),
    operation("delete-manifest", 202, || request(Method::DELETE, &manifest_path())),
];

const fn operation(name: &'static str, status: u16, request: fn() -> Request<Bytes>) -> Operation {
    Operation { name, status, is_stored: false, is_verified: false, names_digest: false, request }
}

const fn stored(name: &'static str, status: u16, request: fn() -> Request<Bytes>) -> Operation {
    Operation { is_stored: true, names_digest: true, ..operation(name, status, request) }
}

/// The image in the registry, as `acme/app:1`.
pub fn image() -> Image {
    Image::single("app", ImageFormat::Oci)
}

/// The blob in the registry.
pub fn blob() -> Blob {
    Blob::random(1, 100_000)
}

fn manifest_path() -> String {
    format!("/v2/acme/app/manifests/{}", image().digest())
}

fn blob_path() -> String {
    format!("/v2/acme/app/blobs/{}", blob().digest)
}
