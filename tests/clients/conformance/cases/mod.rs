//! The requirements, by the chapters of the specification.

mod discovery;
mod management;
mod pull;
mod push;

use super::case::Case;

pub(super) fn all() -> Vec<Case> {
    [pull::cases(), push::cases(), discovery::cases(), management::cases()].into_iter().flatten().collect()
}
