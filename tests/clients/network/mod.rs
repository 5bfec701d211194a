//! The network between regpass and registries: proxies that require a credential, private certificate authorities, names
//! with unreachable addresses, IPv6.

mod addresses;
mod connect_proxy;
mod forward_proxy;
