//! Boxed errors, and the search for a cause in their chains.

use std::error::Error;
use std::io;

pub type BoxError = Box<dyn Error + Send + Sync>;

/// Finds the first error of type `T` among `error` and its sources. Looks into `io::Error` too, whose `source()` skips
/// the error that it wraps.
pub(crate) fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        let wrapped = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => current.source(),
        };
    }
    None
}

/// A failed name lookup, distinct from other `io::Error`s.
#[derive(Debug, thiserror::Error)]
#[error("its host name cannot be resolved")]
pub(super) struct NameLookup(#[source] pub(super) io::Error);

/// A connection that was not established within the connect timeout.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("connect timeout")]
pub(super) struct ConnectTimedOut;
