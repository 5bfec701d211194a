//! The result of one check of one registry.

/// A cell of the matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The operation works. The detail for the table, such as a number of requests, may be empty.
    Works(String),
    /// The registry does not support it.
    Unsupported(Rejection),
}

/// What the client gets if the registry does not support something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// An error from regpass, without a request to the registry.
    ByRegpass,
    /// The registry's error, in regpass's form.
    ByRegistry,
    /// A success of another kind, with which clients continue: an upload instead of a mount.
    Replaced,
    /// No rejection: the check does not apply, for example that of an expired token where no token expires.
    NotApplicable,
}

impl Outcome {
    pub fn works(detail: impl Into<String>) -> Self {
        Self::Works(detail.into())
    }

    /// A rejection after this number of upstream requests.
    pub fn rejected_after(requests: usize) -> Self {
        Self::Unsupported(if requests == 0 { Rejection::ByRegpass } else { Rejection::ByRegistry })
    }
}
