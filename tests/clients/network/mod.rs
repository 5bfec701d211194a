//! The network between regpass and registries: proxies that require a credential, private certificate authorities, names
//! with unreachable addresses, IPv6, connections that break.

mod addresses;
mod broken_legs;
mod connect_proxy;
mod forward_proxy;
