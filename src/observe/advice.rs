//! What a person can do about a failure, beyond what its message says.

use super::blame::{Blame, Step};
use super::recent::Failure;

impl Failure {
    /// The next thing to do.
    pub fn advice(&self) -> &'static str {
        match (self.blame, self.step) {
            (Blame::Client, Step::Admit) => {
                "Use localhost or an address, or add the name to the listener's 'hosts'. Web pages cannot use regpass."
            }
            (Blame::Client, Step::Route) => "Check the registry's name, or add it to the configuration.",
            (Blame::Client, Step::Transfer) => "The client ended the transfer; let it try again.",
            (Blame::Client, _) => "Check the name, the tag and what the client asks for.",
            (Blame::Configuration, Step::Classify) => {
                "Extend 'allow' or 'repositories' of the registry, if this is to be possible."
            }
            (Blame::Configuration, _) => "Mend the configuration; `regpass check` shows the one in force.",
            (Blame::Credential, Step::Credential) => {
                "Mend where the login comes from; it is looked at again within seconds, without a restart."
            }
            (Blame::Credential, Step::Token) => {
                "Log in again, or configure a login that may do this; a changed login counts within seconds."
            }
            (Blame::Credential, _) => "Check that the repository exists, and that the login may read or write it.",
            (Blame::Proxy, _) => "This is a fault of regpass: report it, with its log.",
            (Blame::Registry, Step::Challenge) => {
                "If the token service is the registry's own, add its host to 'realm_hosts'."
            }
            (Blame::Registry, Step::Transfer) => "Pull again; if it goes on, the registry or the line to it is broken.",
            (Blame::Registry, _) => {
                "Wait or check the network and the registry's own status; it is asked again by itself."
            }
            (Blame::Storage, _) => {
                "Check that this machine reaches the storage the registry redirects to, through its firewall or proxy."
            }
            (Blame::TokenService, _) => "Wait or check the network; tokens that are held stay in use until they end.",
        }
    }
}
