//! The result of one check of one registry.

/// A cell of the matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It works. The detail may be empty.
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
    /// Another success with which clients continue.
    Replaced,
    /// Nothing: there is nothing to reject.
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
