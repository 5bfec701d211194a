//! The classes of IP addresses that `AddressPolicy` distinguishes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The class of an IP address. An IPv4 address embedded in an IPv6 address counts as the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressClass {
    Public,
    /// RFC 1918, RFC 4193 (unique local) and RFC 6598 (carrier-grade NAT).
    Private,
    Loopback,
    /// Link-local addresses and metadata services.
    LinkLocal,
    /// Unspecified, multicast and reserved addresses, broadcast included.
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

    pub(super) fn bit(self) -> u8 {
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

/// Metadata services of AWS, GCP and Azure (link-local anyway), Alibaba Cloud, Azure's wire server, Oracle Cloud.
const METADATA_V4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];

/// Metadata services of Google Cloud and Oracle Cloud over IPv6.
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)];

/// `fd00:ec2::/32`: AWS's instance metadata (`::254`) and pod credentials (`::23`).
const AMAZON_LOCAL_V6: [u16; 2] = [0xfd00, 0xec2];

/// The IPv4 address inside an IPv4-mapped, IPv4-compatible, IPv4-translated (RFC 2765), NAT64 (RFC 6052, RFC 8215) or
/// 6to4 (RFC 3056) address. `::` and `::1` have none.
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

    #[test]
    fn addresses_are_classified_also_when_embedded_in_ipv6() {
        for (class, addresses) in [
            (AddressClass::Public, &["93.184.216.34", "2606:2800:220:1::1"][..]),
            (
                AddressClass::Private,
                &["10.0.0.1", "172.31.0.1", "192.168.1.1", "100.64.0.1", "fd12::1", "::ffff:10.0.0.1"],
            ),
            (AddressClass::Loopback, &["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]),
            (
                AddressClass::LinkLocal,
                &[
                    "169.254.169.254",
                    "::ffff:169.254.169.254",
                    "64:ff9b::a9fe:a9fe",
                    "fe80::1",
                    "fd00:ec2::254",
                    "fd00:ec2::23",
                    "fd20:ce::254",
                    "fd00:c1::a9fe:a9fe",
                    "100.100.100.200",
                    "168.63.129.16",
                ],
            ),
            (AddressClass::Reserved, &["0.0.0.0", "::", "224.0.0.1", "255.255.255.255"]),
        ] {
            for address in addresses {
                assert_eq!(AddressClass::of(address.parse().unwrap()), class, "{address}");
            }
        }
    }
}
