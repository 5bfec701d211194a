//! Which side caused an error, and in which step it happened: fields of logs, metrics and the status page.

/// The side that has to change for the request to succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The client: its request is invalid, asks for something that does not exist, or it disconnected.
    Client,
    /// The configuration: it denies the request or is wrong. Also the proxy that an environment variable names.
    Configuration,
    /// The credential for the registry: missing, unreadable, rejected or without permission.
    Credential,
    /// regpass itself: it is at a limit, cannot store a body, or has a bug.
    Proxy,
    /// The registry: unreachable, failing, or its challenge or redirect is not accepted.
    Registry,
    /// The blob store that the registry redirects to.
    Storage,
    /// The token service at the registry's realm.
    TokenService,
}

impl Blame {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Configuration => "configuration",
            Self::Credential => "credential",
            Self::Proxy => "proxy",
            Self::Registry => "registry",
            Self::Storage => "storage",
            Self::TokenService => "token-service",
        }
    }
}

/// The stage of the request path an error comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Checks of the client's request: its credential, host, origin and method.
    Admit,
    /// Finding the registry that the request is for.
    Route,
    /// Recognizing the operation and checking that it is allowed.
    Classify,
    /// Reading the credential.
    Credential,
    /// Reading the registry's challenge and checking its realm.
    Challenge,
    /// The request to the token service.
    Token,
    /// The request to the registry.
    Registry,
    /// A request to the target of a redirect.
    Redirect,
    /// Transfer of a request or response body.
    Transfer,
}

impl Step {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Route => "route",
            Self::Classify => "classify",
            Self::Credential => "credential",
            Self::Challenge => "challenge",
            Self::Token => "token",
            Self::Registry => "registry",
            Self::Redirect => "redirect",
            Self::Transfer => "transfer",
        }
    }
}
