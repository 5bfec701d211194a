//! What is known of each registry, as data: one row a registry, one field a peculiarity.
//!
//! A peculiarity ("knob") is read in exactly one function of the floors above; nothing above compares host or vendor
//! names. Adding a registry is adding a row, a simulator preset and a page of documentation.

mod lookup;
mod rows;

use std::time::Duration;

pub use lookup::{by_host, by_name, canonical_host, is_well_known};
pub use rows::ALL;

use crate::oci::scope::Action;

/// One registry's row.
#[derive(Debug)]
pub struct Profile {
    /// As the configuration names it.
    pub name: &'static str,
    /// The names people use for the registry. The first is the one it is known by here, the others are its aliases.
    pub hosts: &'static [&'static str],
    /// Where the API lives when it is not at the first of `hosts`.
    pub api_host: Option<&'static str>,
    /// Further keys under which docker's `config.json` keeps this registry's login.
    pub credential_keys: &'static [&'static str],
    /// Token services beside the registry's own origin that may see its credential.
    pub realm_hosts: &'static [&'static str],
    /// Where names of one component live.
    pub namespace: Option<&'static str>,
    pub catalog: Catalog,
    pub delete: Delete,
    /// What listing tags needs beside `pull`.
    pub tag_actions: &'static [Action],
    /// How long a token lasts when neither the reply nor the token tells (60 s in distribution's token documentation).
    pub fallback_lifetime: Duration,
    /// Where the row's claims come from.
    pub evidence: &'static [Evidence],
}

/// How the list of repositories is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catalog {
    /// With the scope `registry:catalog:*`.
    Standard,
    /// With a login only, and a token for this scope.
    WithLogin { scope: &'static str },
    /// Not at all.
    Lacking { hint: &'static str },
}

/// How manifests and blobs are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delete {
    /// With a token for these actions.
    Actions(&'static [Action]),
    /// Not over the distribution API.
    Lacking { hint: &'static str },
}

/// One observation behind a row: what, where it can be read, and the year or day it was made.
#[derive(Clone, Copy, Debug)]
pub struct Evidence {
    pub what: &'static str,
    pub source: &'static str,
    pub date: &'static str,
}
