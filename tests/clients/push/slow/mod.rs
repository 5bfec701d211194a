//! Layers that take ten lives of a token on their way to a registry that compares every token with the clock.

mod clients;
mod line;
