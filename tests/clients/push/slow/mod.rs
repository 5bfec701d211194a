//! Uploads of a layer that last ten token lifetimes, to a registry that checks the expiry of every token.

mod clients;
mod slow_link;
