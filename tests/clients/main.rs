//! Real clients pull and push through the real binary from the real registry, and need no credential for it.
//!
//! Each test starts Debian's `docker-registry` in one of two modes, htpasswd or signed tokens, and regpass in front of
//! it. The client then pulls a multi-arch image and must end up with the digests that the registry itself serves, or
//! pushes one (`push`), which is then read again from the registry itself. In `setup` the clients read what `regpass
//! setup` wrote for them; `service` starts, reloads and stops regpass; `status` looks at the status page in a browser;
//! `network` puts proxies and dead addresses between regpass and the registry.
//! `readme` does what README.md says, on a machine where its ports and paths are free.
//! `tests/run clients` installs what this needs; a client that is not there is a failure.

mod certificates;
mod image;
mod machine;
mod process;
mod registry;
mod regpass;
mod scene;
#[path = "../sim/mod.rs"]
mod sim;
mod token_service;

mod buildah;
mod containerd;
mod curl;
mod docker;
mod doors;
mod logs;
mod network;
mod oras;
mod package;
mod podman;
mod push;
mod readme;
mod service;
mod setup;
mod skopeo;
mod status;
mod tokens;
