//! A registry, and what clients of regpass call it.

use crate::registry::{PASSWORD, Registry, USER};

pub(super) struct Place {
    pub(super) registry: Registry,
    /// What the names of its repositories begin with, for clients of regpass.
    prefix: &'static str,
    /// Of regpass.
    port: u16,
}

impl Place {
    pub(super) fn new(registry: Registry, prefix: &'static str, port: u16) -> Self {
        Self { registry, prefix, port }
    }

    /// `name` of this registry, `team/app:1` say, as a client on this machine writes it.
    pub(super) fn image(&self, name: &str) -> String {
        format!("localhost:{}/{}{name}", self.port, self.prefix)
    }

    pub(super) fn url(&self, repository: &str, path: &str) -> String {
        format!("http://localhost:{}/v2/{}{repository}/{path}", self.port, self.prefix)
    }

    /// What an answer of regpass points to.
    pub(super) fn at(&self, location: &str) -> String {
        assert!(location.starts_with("/v2/"), "not a path on regpass: {location}");
        format!("http://localhost:{}{location}", self.port)
    }

    /// Its table in the configuration, as `name`.
    pub(super) fn table(&self, name: &str, password: &str, more: &str) -> String {
        let realms: Vec<String> = self.registry.tokens.iter().map(|tokens| tokens.address.to_string()).collect();
        format!(
            "[registry.\"{name}\"]\nurl = \"http://{}\"\nrealm_hosts = {realms:?}\ncredential = {{ source = \"password\", \
             username = \"{USER}\", password = {{ file = \"{password}\" }} }}\n{more}\n",
            self.registry.address
        )
    }

    /// What may stand in no log: the password, as it is sent, too, and the beginning of every token.
    pub(super) fn secrets(&self) -> Vec<String> {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        let signed = self.registry.tokens.as_ref().map(|tokens| tokens.sign("repository:any:pull"));
        let header = signed.and_then(|token| token.split_once('.').map(|(header, _)| header.to_owned()));
        let password = [PASSWORD.to_owned(), STANDARD.encode(format!("{USER}:{PASSWORD}"))];
        password.into_iter().chain(header).collect()
    }
}
