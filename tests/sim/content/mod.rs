//! The content of registries: blobs, manifests, images, and repositories with their tags.

mod archive;
mod blob;
mod image;
mod store;

pub(super) use blob::hex;
pub use blob::{Blob, Slice, sha256, sha512};
pub use image::{Image, ImageFormat, Manifest, media};
pub use store::{Repository, Store};
