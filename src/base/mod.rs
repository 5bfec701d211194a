//! What every floor above may lean on: secrets, origins, clocks and leases. Owes nothing to anyone.

pub mod client_name;
pub mod clock;
pub mod host;
pub mod lease;
pub mod lease_cache;
pub mod origin;
pub mod secret;
pub mod sent;
