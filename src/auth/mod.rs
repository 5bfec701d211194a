//! Authorization of requests to registries, from the challenge to the `Authorization` header.
//!
//! Read it from the top: [`authorizer`] is what the request path calls, with an [`ask`] whose scopes come from
//! [`requirements`]. `discovery` finds out and remembers the [`scheme`] a registry wants, `selection` chooses the
//! credential and the [`grant`], `token_cache` caches what the [`token_service`] issues, `shared_tokens` knows which
//! tokens serve several repositories, and [`denials`] remembers refusals.

pub mod ask;
pub mod authorizer;
pub mod denials;
mod discovery;
pub mod error;
mod expiring_map;
pub mod grant;
mod probe;
pub mod realm;
pub mod requirements;
pub mod scheme;
mod scopes;
mod selection;
mod shared_tokens;
pub mod snapshot;
pub mod token_service;
mod token_cache;
mod token_parameters;
