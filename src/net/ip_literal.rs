//! IP addresses written as host names, in every form that resolvers take.

use std::net::{IpAddr, Ipv4Addr};

/// Parses `host` as an IP address, if it is not a name. Resolvers, also that of a proxy, take IPv4 addresses of one to
/// four parts, each decimal, hexadecimal or octal (`inet_aton(3)`): `127.1` and `0x7f000001` are `127.0.0.1`.
pub(super) fn parse_ip_literal(host: &str) -> Option<IpAddr> {
    if let Ok(address) = host.parse() {
        return Some(address);
    }
    let parts: Option<Vec<u32>> = host.strip_suffix('.').unwrap_or(host).split('.').map(parse_part).collect();
    let parts = parts?;
    let (last, first) = parts.split_last()?;
    let mut bytes = [0; 4];
    for (byte, part) in bytes.iter_mut().zip(first) {
        *byte = u8::try_from(*part).ok()?;
    }
    // The last part fills the remaining bytes.
    let remaining = 4_usize.checked_sub(first.len()).filter(|remaining| *remaining > 0)?;
    let last = last.to_be_bytes();
    let (excess, rest) = last.split_at(4 - remaining);
    bytes[4 - remaining..].copy_from_slice(rest);
    if excess.iter().any(|byte| *byte != 0) {
        return None;
    }
    Some(Ipv4Addr::from(bytes).into())
}

fn parse_part(text: &str) -> Option<u32> {
    match (text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")), text.strip_prefix('0')) {
        (Some(hexadecimal), _) => u32::from_str_radix(hexadecimal, 16).ok(),
        (None, Some(octal)) if !octal.is_empty() => u32::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notation_of_an_address_is_recognized() {
        for (address, notations) in [
            (
                "169.254.169.254",
                &[
                    "169.254.169.254",
                    "169.254.169.254.",
                    "2852039166",
                    "0xa9fea9fe",
                    "0XA9FEA9FE",
                    "0xa9.0376.43518",
                    "169.16689662",
                ][..],
            ),
            ("127.0.0.1", &["127.1"]),
            ("0.0.0.0", &["0"]),
            ("::1", &["::1"]),
        ] {
            for host in notations {
                assert_eq!(parse_ip_literal(host), Some(address.parse().unwrap()), "{host}");
            }
        }
        for host in ["256.1", "1.2.3.256", "1.2.3.4.5", "4294967296", "1..2", "0x7f.example", "r1", ""] {
            assert_eq!(parse_ip_literal(host), None, "{host}");
        }
    }
}
