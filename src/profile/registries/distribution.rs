//! CNCF Distribution, the `registry` image. It has no deviations; the profile exists so that the configuration can name
//! it.

use super::GENERIC;
use crate::profile::Profile;

pub(super) const DISTRIBUTION: Profile = Profile { name: "distribution", hosts: &[], ..GENERIC };
