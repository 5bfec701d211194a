//! The newest clients that Debian has, in a root of their own (`make_root`): every operation of each, through regpass in front
//! of Debian's registry and of simulated registries, and directly at Debian's registry. The outcomes are rows of the table
//! of clients.

mod command_line;
mod docker;
mod engines;
mod operations;
mod partial_pulls;
mod root;
mod setup;
mod signing;
mod snapshotters;
mod target;
mod versions;
