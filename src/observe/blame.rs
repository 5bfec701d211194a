//! Whose fault an error is, and in which step it happened.

/// Who has to do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The request cannot be answered as it is.
    Client,
    /// The configuration forbids it.
    Configuration,
    /// The login regpass holds, or the lack of one.
    Credential,
    /// regpass itself.
    Proxy,
    /// The registry.
    Registry,
    /// Where the registry keeps its blobs.
    Storage,
    /// Whoever answers at the registry's realm.
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
    /// Host, origin and method of the client's request.
    Admit,
    /// Finding the registry.
    Route,
    /// Understanding the operation and whether it is allowed.
    Classify,
    /// Reading the stored login.
    Credential,
    /// The challenge and what it names.
    Challenge,
    /// The call of the token service.
    Token,
    /// The request to the registry.
    Registry,
    /// A hop after a redirect.
    Redirect,
    /// A body on its way, to the registry or back.
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
