//! Which addresses may be dialled.
//!
//! A registry chooses the hosts of its tokens and blobs, so it could point regpass at a metadata service or at a host
//! of the internal network. The policy checks the address that is dialled and not the name, so a name that resolves
//! differently later gains nothing. Through a proxy, which resolves names itself, only IP literals can be checked.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::address_class::AddressClass;

/// The class of the address at which a registry's own origin last answered: what "the registry is there itself" means.
/// Only the last answer counts, because a name can lead to another address for a moment. Clones share the value.
#[derive(Clone, Debug, Default)]
pub struct RegistryAddress(Arc<AtomicU8>);

impl RegistryAddress {
    fn is_of(&self, class: AddressClass) -> bool {
        self.0.load(Ordering::Relaxed) == class.bit()
    }

    fn set(&self, class: AddressClass) {
        self.0.store(class.bit(), Ordering::Relaxed);
    }
}

/// The rule that decides which addresses one HTTP client may dial, checked for each connection.
#[derive(Clone, Debug)]
pub enum AddressPolicy {
    /// For the origin of a registry or of a vendor's API that the configuration names, and for cloud services over HTTPS:
    /// any address. Records the class of the address that answers.
    Registry(RegistryAddress),
    /// For the origin of a registry that is on the public network: public addresses. `rule` says to users what else they
    /// have to configure.
    PublicRegistry { rule: &'static str },
    /// For token services, blob stores and other origins that a registry refers to: public addresses, and those of the
    /// class at which the registry itself answered. Never link-local or reserved addresses.
    OtherOrigin(RegistryAddress),
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
            (Self::PublicRegistry { .. }, _)
            | (Self::OtherOrigin(_), AddressClass::LinkLocal | AddressClass::Reserved) => false,
            (Self::OtherOrigin(registry), class) => registry.is_of(class),
        };
        let rule = match self {
            Self::LocalOnly => "but without TLS regpass connects only to this machine and metadata services",
            Self::PublicRegistry { rule } => rule,
            _ => "but a host that a registry refers to needs a public address or one of the registry's own class",
        };
        if is_permitted { Ok(()) } else { Err(AddressRejected { class, rule }) }
    }

    /// Records that an HTTP answer came from `address`, if this is the policy of a registry. Over TLS that proves the
    /// certificate, too; a TCP connection alone proves nothing.
    pub fn record_answer(&self, address: IpAddr) {
        if let Self::Registry(registry) = self {
            registry.set(AddressClass::of(address));
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
    fn other_origins_are_limited_to_public_addresses_and_the_class_of_the_registry() {
        let registry = RegistryAddress::default();
        let policy = AddressPolicy::OtherOrigin(registry.clone());
        assert!(policy.check(ip("93.184.216.34")).is_ok());
        assert!(policy.check(ip("127.0.0.1")).is_err() && policy.check(ip("10.0.0.1")).is_err());
        let own = AddressPolicy::Registry(registry);
        own.record_answer(ip("127.0.0.1"));
        assert!(policy.check(ip("127.0.0.2")).is_ok());
        assert!(policy.check(ip("10.0.0.1")).is_err() && policy.check(ip("169.254.169.254")).is_err());
        own.record_answer(ip("93.184.216.34"));
        assert!(policy.check(ip("127.0.0.2")).is_err(), "the registry has moved away");
        own.record_answer(ip("169.254.169.254"));
        assert!(policy.check(ip("169.254.169.254")).is_err());
    }

    #[test]
    fn public_registries_are_limited_to_public_addresses() {
        let policy = AddressPolicy::PublicRegistry { rule: "add an entry" };
        assert!(policy.check(ip("93.184.216.34")).is_ok());
        assert!(policy.check(ip("10.0.0.1")).is_err());
        assert!(policy.check(ip("127.0.0.1")).unwrap_err().to_string().contains("add an entry"));
        assert!(AddressPolicy::Registry(RegistryAddress::default()).check(ip("10.0.0.1")).is_ok());
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
