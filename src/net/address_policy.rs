//! Which addresses may be dialled.
//!
//! A registry chooses the hosts of its tokens and blobs, so it could point regpass at a metadata service or at a host
//! of the internal network. The policy checks the address that is dialled and not the name, so a name that resolves
//! differently later gains nothing. Through a proxy, which resolves names itself, only IP literals can be checked.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::address_class::AddressClass;

/// The address classes over which regpass has reached one registry's own origin. Clones share the set.
#[derive(Clone, Debug, Default)]
pub struct ReachedAddresses(Arc<AtomicU8>);

impl ReachedAddresses {
    fn contains(&self, class: AddressClass) -> bool {
        self.0.load(Ordering::Relaxed) & class.bit() != 0
    }

    fn insert(&self, class: AddressClass) {
        self.0.fetch_or(class.bit(), Ordering::Relaxed);
    }
}

/// The rule that decides which addresses one HTTP client may dial, checked for each connection.
#[derive(Clone, Debug)]
pub enum AddressPolicy {
    /// For the origin of a registry that is configured by host or domain or well known, and for cloud services over
    /// HTTPS: any address. Records the class of the address reached.
    Registry(ReachedAddresses),
    /// For the origin of a registry that only `*` in the configuration matches: public addresses. Records the class as
    /// well.
    WildcardRegistry(ReachedAddresses),
    /// For token services, blob stores and other origins that a registry refers to: public addresses, and the classes
    /// over which the registry itself was reached. Never link-local or reserved addresses.
    OtherOrigin(ReachedAddresses),
    /// For plain HTTP to credential services on this machine or its link: only loopback addresses, link-local addresses
    /// and metadata services.
    LocalOnly,
}

impl AddressPolicy {
    /// Whether `address` may be dialled.
    pub fn check(&self, address: IpAddr) -> Result<(), AddressRejected> {
        let class = AddressClass::of(address);
        let is_permitted = match (self, class) {
            (Self::LocalOnly, class) => matches!(class, AddressClass::LinkLocal | AddressClass::Loopback),
            (Self::Registry(_), _) | (_, AddressClass::Public) => true,
            (Self::WildcardRegistry(_), _)
            | (Self::OtherOrigin(_), AddressClass::LinkLocal | AddressClass::Reserved) => false,
            (Self::OtherOrigin(reached), class) => reached.contains(class),
        };
        let rule = match self {
            Self::LocalOnly => "but without TLS regpass connects only to this machine and metadata services",
            Self::WildcardRegistry(_) => {
                "which is not allowed for a registry that only `*` in the configuration matches; add an entry for it"
            }
            _ => "but a host that a registry refers to needs a public address or one of the registry's own class",
        };
        if is_permitted { Ok(()) } else { Err(AddressRejected { class, rule }) }
    }

    /// Records the class of an `address` that accepted a connection, if this is the policy of a registry; otherwise does
    /// nothing.
    pub fn record_reached(&self, address: IpAddr) {
        match self {
            Self::Registry(reached) | Self::WildcardRegistry(reached) => reached.insert(AddressClass::of(address)),
            Self::OtherOrigin(_) | Self::LocalOnly => {}
        }
    }
}

/// An address that the policy does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its address is {class}, {rule}")]
pub struct AddressRejected {
    pub class: AddressClass,
    rule: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn other_origins_are_limited_to_public_addresses_and_the_classes_of_the_registry() {
        let reached = ReachedAddresses::default();
        let policy = AddressPolicy::OtherOrigin(reached.clone());
        assert!(policy.check(ip("93.184.216.34")).is_ok());
        assert!(policy.check(ip("127.0.0.1")).is_err() && policy.check(ip("10.0.0.1")).is_err());
        AddressPolicy::Registry(reached).record_reached(ip("127.0.0.1"));
        assert!(policy.check(ip("127.0.0.2")).is_ok());
        assert!(policy.check(ip("10.0.0.1")).is_err() && policy.check(ip("169.254.169.254")).is_err());
    }

    #[test]
    fn wildcard_registries_are_limited_to_public_addresses() {
        let policy = AddressPolicy::WildcardRegistry(ReachedAddresses::default());
        assert!(policy.check(ip("93.184.216.34")).is_ok());
        assert!(policy.check(ip("10.0.0.1")).is_err() && policy.check(ip("127.0.0.1")).is_err());
        assert!(AddressPolicy::Registry(ReachedAddresses::default()).check(ip("10.0.0.1")).is_ok());
    }

    #[test]
    fn plain_http_is_limited_to_this_machine_and_metadata_services() {
        for address in ["127.0.0.1", "::1", "169.254.169.254", "169.254.170.2", "fd00:ec2::254", "fd20:ce::254"] {
            assert!(AddressPolicy::LocalOnly.check(ip(address)).is_ok(), "{address}");
        }
        for address in ["93.184.216.34", "10.0.0.1", "fd12::1", "0.0.0.0", "224.0.0.1"] {
            assert!(AddressPolicy::LocalOnly.check(ip(address)).is_err(), "{address}");
        }
        let rejected = AddressPolicy::LocalOnly.check(ip("93.184.216.34")).unwrap_err();
        let message = rejected.to_string();
        assert!(message.contains("public") && message.contains("without TLS"), "{message}");
    }
}
