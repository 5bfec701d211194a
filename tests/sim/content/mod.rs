//! What registries hold: bytes, blobs, manifests, images and the repositories with their tags.

mod archive;
mod blob;
mod image;
mod store;

pub(super) use blob::hex;
pub use blob::{Blob, Slice, sha256};
pub use image::{Family, Image, Manifest, media};
pub use store::{Repository, Store};
