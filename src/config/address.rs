//! Parses the addresses of listeners.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use super::problem::Fault;
use crate::listen::address::ListenAddress;

/// An address to bind a listener to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BindAddress {
    pub(super) address: ListenAddress,
    /// Whether the listener is skipped when the address cannot be bound: true for the IPv6 half of `localhost`, because
    /// not every machine has IPv6, and for the admin listener that exists without any configuration.
    pub(super) optional: bool,
}

/// Parses `127.0.0.1:5050`, `[::1]:5050`, `unix:/run/regpass.sock`, or `localhost:5050` for both loopback addresses.
pub(super) fn parse(text: &str) -> Result<Vec<BindAddress>, Fault> {
    if let Ok(address) = text.parse() {
        return Ok(vec![BindAddress { address: ListenAddress::Tcp(address), optional: false }]);
    }
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(vec![BindAddress { address: ListenAddress::Unix(socket_path(path)?.into()), optional: false }]);
    }
    match text.rsplit_once(':') {
        Some(("localhost", port)) => match port.parse() {
            Ok(port) => Ok(localhost(port)),
            Err(_) => Err(Fault::new("the port is not a number from 0 to 65535").hint("write `\"localhost:5050\"`")),
        },
        _ => Err(fault(text)),
    }
}

/// Parses the one address of the admin listener; `localhost` is `127.0.0.1`.
pub(super) fn parse_one(text: &str) -> Result<ListenAddress, Fault> {
    parse(text).map(|mut binds| binds.swap_remove(0).address)
}

/// Checks the path of a unix socket.
fn socket_path(path: &str) -> Result<&Path, Fault> {
    const HINT: &str = "write `\"unix:/run/regpass.sock\"`";
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        return Err(Fault::new("`unix:` is not followed by the absolute path of a file").hint(HINT));
    }
    if path.len() > MAX_SOCKET_PATH {
        let what =
            format!("the path is longer than {MAX_SOCKET_PATH} bytes, the most that the operating system allows");
        return Err(Fault::new(what).hint(HINT));
    }
    Ok(Path::new(path))
}

pub(super) fn localhost(port: u16) -> Vec<BindAddress> {
    vec![
        BindAddress { address: tcp(Ipv4Addr::LOCALHOST, port), optional: false },
        BindAddress { address: tcp(Ipv6Addr::LOCALHOST, port), optional: true },
    ]
}

pub(super) fn tcp(ip: impl Into<IpAddr>, port: u16) -> ListenAddress {
    ListenAddress::Tcp(SocketAddr::new(ip.into(), port))
}

/// Why `text` is no address, with the nearest valid address as the hint.
fn fault(text: &str) -> Fault {
    let port = text.strip_prefix(':').unwrap_or(text);
    if text.starts_with('/') {
        Fault::new("the value is a path without the prefix `unix:`").hint(format!("write `\"unix:{text}\"`"))
    } else if let Ok(port) = port.parse::<u16>() {
        Fault::new("the value is a port without an address").hint(format!("write `\"127.0.0.1:{port}\"`"))
    } else if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        let example = SocketAddr::new(address, 5050);
        Fault::new("the value is an address without a port").hint(format!("write `\"{example}\"`"))
    } else if text == "localhost" {
        Fault::new("the value is a host name without a port").hint("write `\"localhost:5050\"`")
    } else if text.bytes().filter(|&b| b == b':').count() > 1 {
        Fault::new("the value is not an IP address and a port")
            .hint("put an IPv6 address in brackets: `\"[::1]:5050\"`")
    } else {
        Fault::new("the value is not an IP address and a port").hint(
            "host names other than `localhost` are not resolved; write `\"127.0.0.1:5050\"`, `\"[::1]:5050\"` or \
             `\"localhost:5050\"`",
        )
    }
}

/// Bytes of `sun_path` (unix(7)) without its terminating zero.
const MAX_SOCKET_PATH: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &str) -> Vec<String> {
        parse(text).unwrap().iter().map(|bind| bind.address.to_string()).collect()
    }

    #[test]
    fn valid_addresses_parse() {
        for text in ["127.0.0.1:5050", "[::1]:5050", "0.0.0.0:0", "unix:/run/regpass.sock"] {
            assert_eq!(addresses(text), [text]);
        }
        assert_eq!(addresses("localhost:5050"), ["127.0.0.1:5050", "[::1]:5050"]);
        let optional: Vec<bool> = parse("localhost:1").unwrap().iter().map(|bind| bind.optional).collect();
        assert_eq!(optional, [false, true]);
        assert_eq!(parse_one("localhost:5051").unwrap().to_string(), "127.0.0.1:5051");
    }

    #[test]
    fn an_invalid_address_gets_a_hint_what_to_write() {
        let long = format!("unix:/{}", "x".repeat(107));
        for (what, cases) in [
            ("without an address", &[("5050", "\"127.0.0.1:5050\""), (":5050", "\"127.0.0.1:5050\"")][..]),
            (
                "without a port",
                &[("127.0.0.1", "\"127.0.0.1:5050\""), ("::1", "\"[::1]:5050\""), ("localhost", "\"localhost:5050\"")],
            ),
            (
                "port is not a number",
                &[("localhost:http", "\"localhost:5050\""), ("localhost:99999", "\"localhost:5050\"")],
            ),
            (
                "not an IP address",
                &[("::1:5050:x", "brackets"), ("proxy.example:5050", "not resolved"), ("", "localhost:5050")],
            ),
            ("without the prefix `unix:`", &[("/run/regpass.sock", "\"unix:/run/regpass.sock\"")]),
            ("longer than 107 bytes", &[(&long, "unix:/run/regpass.sock")]),
        ] {
            for (text, hint) in cases {
                assert_fault(text, what, hint);
            }
        }
        for text in ["unix:run/regpass.sock", "unix:@regpass", "unix:/run/", "unix:"] {
            assert_fault(text, "absolute path", "unix:/run/regpass.sock");
        }
    }

    fn assert_fault(text: &str, what: &str, hint: &str) {
        let fault = parse(text).unwrap_err();
        assert!(fault.what.contains(what), "{text}: {}", fault.what);
        assert!(fault.hint.clone().unwrap().contains(hint), "{text}: {:?}", fault.hint);
    }

    #[test]
    fn loopback_addresses_and_unix_sockets_are_local() {
        for local in ["127.8.0.1:1", "unix:/run/regpass.sock", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(parse_one(local).unwrap().is_local(), "{local}");
        }
        for reachable in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1"] {
            assert!(!parse_one(reachable).unwrap().is_local(), "{reachable}");
        }
    }
}
