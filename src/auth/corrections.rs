//! What challenges taught about scopes: what was computed, and what the registry really wants.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use super::ask::{Ask, Matter};
use crate::oci::scope::ScopeSet;

#[derive(Debug, Default)]
pub(super) struct Corrections(Mutex<Learned>);

#[derive(Debug, Default)]
struct Learned {
    scopes: HashMap<Matter, ScopeSet>,
    /// First parts of names that scopes leave out: Artifactory's keys of repositories, where they are in the path.
    left_out: HashSet<Box<str>>,
}

impl Corrections {
    /// The scopes to ask for: what was learned of this matter, else what its repository's neighbours show.
    pub(super) fn of(&self, ask: &Ask) -> ScopeSet {
        let learned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = ask.matters().find_map(|matter| learned.scopes.get(&matter).cloned());
        known.or_else(|| learned.shortened(ask)).unwrap_or_else(|| ask.scopes.clone())
    }

    /// What a challenge said that is believed, the computed scopes among it.
    pub(super) fn learn(&self, ask: &Ask, real: ScopeSet) {
        let mut learned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        learned.make_room();
        if let Some(key) = key(ask) {
            if Some(&real) == without(key, ask).as_ref() {
                learned.left_out.insert(key.into());
            } else if names_whole(&real, ask) {
                learned.left_out.remove(key);
            }
        }
        if real == ask.scopes && learned.shortened(ask).is_none() {
            learned.scopes.remove(&ask.matter());
        } else {
            learned.scopes.insert(ask.matter(), real);
        }
    }

    /// Takes a matter as it was computed where only its neighbours showed otherwise; `false` where they did not.
    pub(super) fn doubt_neighbours(&self, ask: &Ask) -> bool {
        let mut learned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = ask.matters().any(|matter| learned.scopes.contains_key(&matter));
        let is_guess = !is_known && learned.shortened(ask).is_some();
        if is_guess {
            learned.make_room();
            learned.scopes.insert(ask.matter(), ask.scopes.clone());
        }
        is_guess
    }
}

impl Learned {
    fn make_room(&mut self) {
        if self.scopes.len() >= MOST || self.left_out.len() >= MOST {
            *self = Self::default();
        }
    }

    fn shortened(&self, ask: &Ask) -> Option<ScopeSet> {
        key(ask).filter(|key| self.left_out.contains(*key)).and_then(|key| without(key, ask))
    }
}

/// Whether the repository has its whole name there.
fn names_whole(scopes: &ScopeSet, ask: &Ask) -> bool {
    ask.repository.as_ref().is_some_and(|name| scopes.resources().any(|(one, _)| *one.name == *name.as_str()))
}

/// The first part of the repository's name, where it has others.
fn key(ask: &Ask) -> Option<&str> {
    ask.repository.as_ref()?.as_str().split_once('/').map(|(key, _)| key)
}

/// The scopes of the request with the key left out of the names of the repositories below it.
fn without(key: &str, ask: &Ask) -> Option<ScopeSet> {
    let head = format!("{key}/");
    ask.repository.as_ref()?.as_str().strip_prefix(&head)?;
    let mut scopes = ScopeSet::default();
    for (resource, actions) in ask.scopes.resources() {
        scopes.add(resource.without(&head), actions.iter().cloned());
    }
    Some(scopes)
}

const MOST: usize = 4096;
