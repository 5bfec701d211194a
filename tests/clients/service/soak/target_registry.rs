//! A registry behind regpass, and the names that clients of regpass use for it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::registry::{PASSWORD, Registry, USER};

pub(super) struct TargetRegistry {
    pub(super) registry: Registry,
    /// Precedes the registry's repository names when clients use them through regpass.
    prefix: &'static str,
    /// The port of regpass.
    port: u16,
}

impl TargetRegistry {
    pub(super) fn new(registry: Registry, prefix: &'static str, port: u16) -> Self {
        Self { registry, prefix, port }
    }

    /// The name by which a client pulls or pushes an image such as `team/app:1` of this registry.
    pub(super) fn image(&self, name: &str) -> String {
        format!("localhost:{}/{}{name}", self.port, self.prefix)
    }

    pub(super) fn url(&self, repository: &str, path: &str) -> String {
        format!("http://localhost:{}/v2/{}{repository}/{path}", self.port, self.prefix)
    }

    /// The absolute URL of a `Location` from regpass, which must be a path.
    pub(super) fn absolute(&self, location: &str) -> String {
        assert!(location.starts_with("/v2/"), "not a path on regpass: {location}");
        format!("http://localhost:{}{location}", self.port)
    }

    /// The registry's table in the configuration of regpass, with this name and these additional keys. `password` is
    /// the path of the password file.
    pub(super) fn table(&self, name: &str, password: &str, more: &str) -> String {
        let realms: Vec<String> = self.registry.tokens.iter().map(|tokens| tokens.address.to_string()).collect();
        format!(
            "[registry.\"{name}\"]\nurl = \"http://{}\"\nrealm_hosts = {realms:?}\ncredential = {{ source = \"password\", \
             username = \"{USER}\", password = {{ file = \"{password}\" }} }}\n{more}\n",
            self.registry.address
        )
    }

    /// Texts that no log may contain: the password, also as it is sent, and the start of every token.
    pub(super) fn secrets(&self) -> Vec<String> {
        let signed = self.registry.tokens.as_ref().map(|tokens| tokens.sign("repository:any:pull"));
        let header = signed.and_then(|token| token.split_once('.').map(|(header, _)| header.to_owned()));
        let password = [PASSWORD.to_owned(), STANDARD.encode(format!("{USER}:{PASSWORD}"))];
        password.into_iter().chain(header).collect()
    }
}
