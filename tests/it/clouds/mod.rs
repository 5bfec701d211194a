//! Logins that clouds lend, in front of registries that take them.

mod ecr;
