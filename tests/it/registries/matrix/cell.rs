//! What was seen of one registry and one behaviour.

/// A cell of the matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// It works; with a fact that tells something, or none.
    Yes(String),
    /// The registry can't, and whoever asks is told so.
    Cannot(Told),
}

/// How a client hears that the registry can't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// From regpass, which did not ask the registry.
    ByRegpass,
    /// From the registry, in the one form that errors have.
    ByRegistry,
    /// In a way that clients go on from without noticing.
    Otherwise,
    /// Not at all: there is nothing to refuse.
    Never,
}

impl Cell {
    pub fn yes(fact: impl Into<String>) -> Self {
        Self::Yes(fact.into())
    }

    /// A refusal that took so many requests to the registry's servers.
    pub fn refused(requests: usize) -> Self {
        Self::Cannot(if requests == 0 { Told::ByRegpass } else { Told::ByRegistry })
    }
}
