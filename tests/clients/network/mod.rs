//! The network between regpass and registries: proxies with a login, private authorities, names with dead addresses,
//! IPv6.

mod addresses;
mod proxies;
mod proxy;
