//! Real clients pull and push through the real `regpass` binary, without credentials of their own, from a real registry.
//!
//! Most tests start Debian's `docker-registry`, which requires either a password (htpasswd) or signed tokens, and regpass
//! in front of it ([`stack::Stack`]). A pull must yield the digests that the registry itself serves; the tests of a push
//! (`push`) read the pushed image from the registry itself. `setup` has clients read what `regpass setup` wrote for them;
//! `service` starts, reloads and stops regpass; `status` opens the status page in a browser; `network` puts proxies and
//! unreachable addresses between regpass and the registry; `newest` runs every operation of the newest clients of Debian
//! sid; `conformance` sends the requests of the specification's conformance tests; `little` runs client libraries of
//! Python, node and Rust; `package` checks the shipped configuration files and the image; `readme` runs the commands of
//! README.md in a sandbox where its ports and paths are free.
//! `tests/run clients` installs the clients; a missing one is a failure.

mod certificates;
mod client_table;
mod engine;
mod image;
mod process;
mod registry;
mod regpass;
mod sandbox;
#[path = "../sim/mod.rs"]
mod sim;
mod stack;
mod token_service;

mod buildah;
mod conformance;
mod containerd;
mod curl;
mod docker;
mod image_log;
mod listeners;
mod little;
mod network;
mod newest;
mod oras;
mod package;
mod podman;
mod push;
mod readme;
mod service;
mod setup;
mod skopeo;
mod status;
mod token_requests;
