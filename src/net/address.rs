//! Which addresses may be dialled on whose word.
//!
//! A registry chooses where its tokens and blobs come from, so it could point regpass at a metadata service or at a
//! neighbour. The check is made on the address that is dialled, not on the name, so that a name that changes its
//! mind changes nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressClass {
    Public,
    /// RFC 1918, RFC 4193 (unique local) and RFC 6598 (carrier-grade NAT).
    Private,
    Loopback,
    /// Link-local addresses and metadata services: never dialled on a registry's word.
    LinkLocal,
    /// Unspecified, multicast and reserved: never dialled on a registry's word either.
    Reserved,
}

impl AddressClass {
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::of_v4(v4),
            IpAddr::V6(v6) => embedded_v4(v6).map_or_else(|| Self::of_v6(v6), Self::of_v4),
        }
    }

    fn of_v4(v4: Ipv4Addr) -> Self {
        let octets = v4.octets();
        let reserved = octets[0] == 0 || octets[0] >= 240;
        if METADATA_V4.contains(&v4) || v4.is_link_local() {
            Self::LinkLocal
        } else if reserved || v4.is_multicast() {
            Self::Reserved
        } else if v4.is_loopback() {
            Self::Loopback
        } else if v4.is_private() || (octets[0] == 100 && octets[1] & 0xc0 == 64) {
            Self::Private
        } else {
            Self::Public
        }
    }

    fn of_v6(v6: Ipv6Addr) -> Self {
        let metadata = METADATA_V6.contains(&v6) || v6.segments()[..2] == AMAZON_LOCAL_V6;
        if metadata || v6.is_unicast_link_local() {
            Self::LinkLocal
        } else if v6.is_unspecified() || v6.is_multicast() {
            Self::Reserved
        } else if v6.is_loopback() {
            Self::Loopback
        } else if v6.is_unique_local() {
            Self::Private
        } else {
            Self::Public
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local or metadata",
            Self::Reserved => "reserved",
        })
    }
}

/// The classes of address at which a registry itself was reached.
#[derive(Clone, Debug, Default)]
pub struct Home(Arc<AtomicU8>);

impl Home {
    fn is_at(&self, class: AddressClass) -> bool {
        self.0.load(Ordering::Relaxed) & class.bit() != 0
    }

    fn moved_to(&self, class: AddressClass) {
        self.0.fetch_or(class.bit(), Ordering::Relaxed);
    }
}

/// Decides about one address at the moment it is dialled.
#[derive(Clone, Debug)]
pub enum Guard {
    /// To the registry, which the operator named: anywhere. Remembers where that is.
    Registry(Home),
    /// To a registry that only a wildcard names: public addresses.
    AnyRegistry(Home),
    /// To where the registry sends us: public addresses, or where the registry is itself.
    Elsewhere(Home),
    /// To what lends logins to programs on this machine and speaks plain http: this machine, what is beside it on the
    /// link, metadata services.
    Beside,
}

impl Guard {
    pub fn permits(&self, address: IpAddr) -> Result<(), AddressRefused> {
        let class = AddressClass::of(address);
        let permitted = match (self, class) {
            (Self::Beside, class) => matches!(class, AddressClass::LinkLocal | AddressClass::Loopback),
            (Self::Registry(_), _) | (_, AddressClass::Public) => true,
            (Self::AnyRegistry(_), _) | (Self::Elsewhere(_), AddressClass::LinkLocal | AddressClass::Reserved) => false,
            (Self::Elsewhere(home), class) => home.is_at(class),
        };
        let rule = match self {
            Self::Beside => "and only this machine and metadata services are asked without TLS",
            _ => "where the registry itself is not",
        };
        if permitted { Ok(()) } else { Err(AddressRefused { class, rule }) }
    }

    /// Notes that `address` answered.
    pub fn reached(&self, address: IpAddr) {
        match self {
            Self::Registry(home) | Self::AnyRegistry(home) => home.moved_to(AddressClass::of(address)),
            Self::Elsewhere(_) | Self::Beside => {}
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its address is {class}, {rule}")]
pub struct AddressRefused {
    pub class: AddressClass,
    rule: &'static str,
}

/// The address that `host` is, if it is no name. Resolvers, a proxy's as well, take IPv4 addresses in fewer numbers, hexadecimal
/// and octal too (`inet_aton(3)`): `127.1` and `0x7f000001` are `127.0.0.1`.
pub fn written_out(host: &str) -> Option<IpAddr> {
    if let Ok(address) = host.parse() {
        return Some(address);
    }
    let numbers: Option<Vec<u32>> = host.strip_suffix('.').unwrap_or(host).split('.').map(number).collect();
    let numbers = numbers?;
    let (last, first) = numbers.split_last()?;
    let mut bytes = [0; 4];
    for (byte, number) in bytes.iter_mut().zip(first) {
        *byte = u8::try_from(*number).ok()?;
    }
    // The last number fills what the others leave.
    let room = 4_usize.checked_sub(first.len()).filter(|room| *room > 0)?;
    let last = last.to_be_bytes();
    let (over, rest) = last.split_at(4 - room);
    bytes[4 - room..].copy_from_slice(rest);
    if over.iter().any(|byte| *byte != 0) {
        return None;
    }
    Some(Ipv4Addr::from(bytes).into())
}

fn number(text: &str) -> Option<u32> {
    match (text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")), text.strip_prefix('0')) {
        (Some(hexadecimal), _) => u32::from_str_radix(hexadecimal, 16).ok(),
        (None, Some(octal)) if !octal.is_empty() => u32::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}

/// AWS, GCP and Azure (link-local anyway), Alibaba Cloud, Azure's wire server, Oracle Cloud.
const METADATA_V4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];

/// Google Cloud and Oracle Cloud over IPv6.
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)];

/// `fd00:ec2::/32`, where AWS has its instance metadata (`::254`) and the credentials of pods (`::23`).
const AMAZON_LOCAL_V6: [u16; 2] = [0xfd00, 0xec2];

/// The IPv4 address inside an IPv4-mapped, IPv4-compatible, NAT64 (RFC 6052) or 6to4 (RFC 3056) address.
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] | [0x64, 0xff9b, .., high, low] => {
            v4(high, low)
        }
        [0x2002, high, low, ..] => v4(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_one_however_it_is_written() {
        for (host, address) in [
            ("169.254.169.254", Some("169.254.169.254")),
            ("169.254.169.254.", Some("169.254.169.254")),
            ("2852039166", Some("169.254.169.254")),
            ("0xa9fea9fe", Some("169.254.169.254")),
            ("0XA9FEA9FE", Some("169.254.169.254")),
            ("0xa9.0376.43518", Some("169.254.169.254")),
            ("169.16689662", Some("169.254.169.254")),
            ("127.1", Some("127.0.0.1")),
            ("0", Some("0.0.0.0")),
            ("::1", Some("::1")),
            ("256.1", None),
            ("1.2.3.256", None),
            ("1.2.3.4.5", None),
            ("4294967296", None),
            ("1..2", None),
            ("0x7f.example", None),
            ("r1", None),
            ("", None),
        ] {
            assert_eq!(written_out(host), address.map(ip), "{host}");
        }
    }

    #[test]
    fn addresses_have_their_class() {
        for (address, class) in [
            ("93.184.216.34", AddressClass::Public),
            ("2606:2800:220:1::1", AddressClass::Public),
            ("10.0.0.1", AddressClass::Private),
            ("172.31.0.1", AddressClass::Private),
            ("192.168.1.1", AddressClass::Private),
            ("100.64.0.1", AddressClass::Private),
            ("fd12::1", AddressClass::Private),
            ("127.0.0.1", AddressClass::Loopback),
            ("::1", AddressClass::Loopback),
            ("::ffff:127.0.0.1", AddressClass::Loopback),
            ("64:ff9b::7f00:1", AddressClass::Loopback),
            ("2002:7f00:1::", AddressClass::Loopback),
            ("::ffff:10.0.0.1", AddressClass::Private),
            ("169.254.169.254", AddressClass::LinkLocal),
            ("::ffff:169.254.169.254", AddressClass::LinkLocal),
            ("64:ff9b::a9fe:a9fe", AddressClass::LinkLocal),
            ("fe80::1", AddressClass::LinkLocal),
            ("fd00:ec2::254", AddressClass::LinkLocal),
            ("fd00:ec2::23", AddressClass::LinkLocal),
            ("fd20:ce::254", AddressClass::LinkLocal),
            ("fd00:c1::a9fe:a9fe", AddressClass::LinkLocal),
            ("100.100.100.200", AddressClass::LinkLocal),
            ("168.63.129.16", AddressClass::LinkLocal),
            ("0.0.0.0", AddressClass::Reserved),
            ("::", AddressClass::Reserved),
            ("224.0.0.1", AddressClass::Reserved),
            ("255.255.255.255", AddressClass::Reserved),
        ] {
            assert_eq!(AddressClass::of(ip(address)), class, "{address}");
        }
    }

    #[test]
    fn elsewhere_is_public_or_where_the_registry_is() {
        let home = Home::default();
        let elsewhere = Guard::Elsewhere(home.clone());
        assert!(elsewhere.permits(ip("93.184.216.34")).is_ok());
        assert!(elsewhere.permits(ip("127.0.0.1")).is_err() && elsewhere.permits(ip("10.0.0.1")).is_err());
        Guard::Registry(home).reached(ip("127.0.0.1"));
        assert!(elsewhere.permits(ip("127.0.0.2")).is_ok());
        assert!(elsewhere.permits(ip("10.0.0.1")).is_err() && elsewhere.permits(ip("169.254.169.254")).is_err());
    }

    #[test]
    fn wildcards_reach_public_addresses_only() {
        let guard = Guard::AnyRegistry(Home::default());
        assert!(guard.permits(ip("93.184.216.34")).is_ok());
        assert!(guard.permits(ip("10.0.0.1")).is_err() && guard.permits(ip("127.0.0.1")).is_err());
        assert!(Guard::Registry(Home::default()).permits(ip("10.0.0.1")).is_ok());
    }

    #[test]
    fn plain_http_for_clouds_stays_beside_this_machine() {
        for address in ["127.0.0.1", "::1", "169.254.169.254", "169.254.170.2", "fd00:ec2::254", "fd20:ce::254"] {
            assert!(Guard::Beside.permits(ip(address)).is_ok(), "{address}");
        }
        for address in ["93.184.216.34", "10.0.0.1", "fd12::1", "0.0.0.0", "224.0.0.1"] {
            assert!(Guard::Beside.permits(ip(address)).is_err(), "{address}");
        }
        let refused = Guard::Beside.permits(ip("93.184.216.34")).unwrap_err();
        assert!(refused.to_string().contains("public") && refused.to_string().contains("without TLS"), "{refused}");
    }
}
