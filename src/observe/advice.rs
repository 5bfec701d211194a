//! Advice on what to do about a failure, for the status page.

use super::blame::{Blame, Step};
use super::recent_requests::Failure;

impl Failure {
    /// What to do next.
    pub fn advice(&self) -> &'static str {
        match (self.blame, self.step) {
            (Blame::Client, Step::Admit) => {
                "Use localhost or an IP address, or add the host name to the listener's `hosts`. Web pages cannot use regpass."
            }
            (Blame::Client, Step::Route) => "Check the registry's host name or add it to the configuration.",
            (Blame::Client, Step::Transfer) => "The client disconnected during the transfer; run its command again.",
            (Blame::Client, _) => "Check the image name, the tag and the client's command.",
            (Blame::Configuration, Step::Classify) => "To allow this, extend the registry's `allow` or `repositories`.",
            (Blame::Configuration, _) => "Correct the configuration; `regpass check` shows it and its problems.",
            (Blame::Credential, Step::Credential) => {
                "Correct the credential's source; regpass reads it again within seconds, without a restart."
            }
            (Blame::Credential, Step::Token) => {
                "Log in again or configure a credential with this permission; regpass uses it within seconds."
            }
            (Blame::Credential, _) => "Check that the repository exists and that the credential may read or write it.",
            (Blame::Proxy, _) => {
                "regpass is at a limit, cannot store the body or has a bug: try again; if it fails repeatedly, report it with the log."
            }
            (Blame::Registry, Step::Challenge) => {
                "If the token service is the registry's own, add its host to `realm_hosts`."
            }
            (Blame::Registry, Step::Transfer) => {
                "Pull again; if it fails repeatedly, check the network and the registry's status page."
            }
            (Blame::Registry, _) => "Check the network and the registry's status page; regpass retries automatically.",
            (Blame::Storage, _) => {
                "Check that this machine can reach the blob store that the registry redirects to, through any firewall or proxy."
            }
            (Blame::TokenService, _) => "Check the network; cached tokens stay in use until they expire.",
        }
    }
}
