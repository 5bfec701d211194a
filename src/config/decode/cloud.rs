//! The sources of credentials that are clouds.

use super::credential::{SOURCE, Source};
use crate::config::cloud::Cloud;
use crate::config::model::CredentialSource;

pub(super) const SOURCES: &[Source] = &[GOOGLE];

const GOOGLE: Source =
    Source { name: "google", keys: &[SOURCE], decode: |_| Some(CredentialSource::Cloud(Cloud::Google)) };
