//! The CNCF's Distribution, the `registry` image.

use super::GENERIC;
use crate::profile::Profile;

pub(super) const DISTRIBUTION: Profile = Profile { name: "distribution", hosts: &[], ..GENERIC };
