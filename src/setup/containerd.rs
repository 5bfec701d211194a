//! containerd: one `hosts.toml` for each registry, below the folder that `config_path` names.

use super::hosts_toml::HostsSupport;
use super::version::ClientVersion;

pub(super) const FOLDER: &str = "/etc/containerd/certs.d";

/// The capability `referrers` exists since 2.2.0 (containerd core/remotes/docker/config/hosts.go); pushes carry `?ns=`
/// since 2.3.0 (core/remotes/docker/pusher.go; 2.2.7 does not have it, 1.6 was observed without it).
pub(super) fn hosts_support(version: Option<ClientVersion>) -> HostsSupport {
    HostsSupport::of(version, ClientVersion::new(2, 2), ClientVersion::new(2, 3))
}

pub(super) fn notes(version: Option<ClientVersion>) -> Vec<String> {
    let unknown = version.is_none().then_some(
        "the version of containerd is unknown, so the files have only what every version reads; name it with \
         --client-version: from 2.2 on, lookups of signatures go through regpass, and from 2.3 on pushes",
    );
    unknown.map(str::to_owned).into_iter().collect()
}
