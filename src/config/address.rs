//! Where to listen, as people write it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use super::problem::Fault;
use crate::net::socket::ListenAddress;

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bind {
    pub(super) address: ListenAddress,
    /// Not every machine has IPv6: an address nobody wrote out may be missing.
    pub(super) optional: bool,
}

/// `127.0.0.1:5050`, `[::1]:5050`, `unix:/run/regpass.sock`, or `localhost:5050` for both loopback addresses.
pub(super) fn parse(text: &str) -> Result<Vec<Bind>, Fault> {
    if let Ok(address) = text.parse() {
        return Ok(vec![Bind { address: ListenAddress::Tcp(address), optional: false }]);
    }
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(vec![Bind { address: ListenAddress::Unix(socket(path)?.into()), optional: false }]);
    }
    match text.rsplit_once(':') {
        Some(("localhost", port)) => match port.parse() {
            Ok(port) => Ok(localhost(port)),
            Err(_) => Err(Fault::new("its port is not a number from 0 to 65535").hint("write \"localhost:5050\"")),
        },
        _ => Err(fault(text)),
    }
}

/// One address only, as the admin listener has it.
pub(super) fn parse_one(text: &str) -> Result<ListenAddress, Fault> {
    parse(text).map(|mut binds| binds.swap_remove(0).address)
}

/// The path of a unix socket.
fn socket(path: &str) -> Result<&Path, Fault> {
    const HINT: &str = "write \"unix:/run/regpass.sock\"";
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        return Err(Fault::new("what follows unix: is not the path of a file, from / on").hint(HINT));
    }
    if path.len() > LONGEST_SOCKET {
        let what = format!("its path is longer than the {LONGEST_SOCKET} bytes that the system takes");
        return Err(Fault::new(what).hint(HINT));
    }
    Ok(Path::new(path))
}

pub(super) fn localhost(port: u16) -> Vec<Bind> {
    vec![
        Bind { address: tcp(Ipv4Addr::LOCALHOST, port), optional: false },
        Bind { address: tcp(Ipv6Addr::LOCALHOST, port), optional: true },
    ]
}

pub(super) fn tcp(ip: impl Into<IpAddr>, port: u16) -> ListenAddress {
    ListenAddress::Tcp(SocketAddr::new(ip.into(), port))
}

fn fault(text: &str) -> Fault {
    let port = text.strip_prefix(':').unwrap_or(text);
    if text.starts_with('/') {
        Fault::new("it is a path without a word before it").hint(format!("write \"unix:{text}\""))
    } else if let Ok(port) = port.parse::<u16>() {
        Fault::new("it is a port without an address").hint(format!("write \"127.0.0.1:{port}\""))
    } else if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        let example = SocketAddr::new(address, 5050);
        Fault::new("it is an address without a port").hint(format!("write \"{example}\""))
    } else if text == "localhost" {
        Fault::new("it is a name without a port").hint("write \"localhost:5050\"")
    } else if text.bytes().filter(|&b| b == b':').count() > 1 {
        Fault::new("it is not an IP address and a port").hint("an IPv6 address stands in brackets: \"[::1]:5050\"")
    } else {
        Fault::new("it is not an IP address and a port")
            .hint("names other than localhost are not looked up; write \"127.0.0.1:5050\", \"[::1]:5050\" or \"localhost:5050\"")
    }
}

/// `sun_path` (unix(7)) without its closing zero.
const LONGEST_SOCKET: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_parse() {
        for (text, addresses) in [
            ("127.0.0.1:5050", &["127.0.0.1:5050"][..]),
            ("[::1]:5050", &["[::1]:5050"]),
            ("0.0.0.0:0", &["0.0.0.0:0"]),
            ("localhost:5050", &["127.0.0.1:5050", "[::1]:5050"]),
            ("unix:/run/regpass.sock", &["unix:/run/regpass.sock"]),
        ] {
            let parsed: Vec<String> = parse(text).unwrap().iter().map(|bind| bind.address.to_string()).collect();
            assert_eq!(parsed, addresses, "{text}");
        }
        let optional: Vec<bool> = parse("localhost:1").unwrap().iter().map(|bind| bind.optional).collect();
        assert_eq!(optional, [false, true]);
        assert_eq!(parse_one("localhost:5051").unwrap().to_string(), "127.0.0.1:5051");
    }

    #[test]
    fn what_is_no_address_says_what_to_write() {
        let long = format!("unix:/{}", "x".repeat(107));
        for (text, what, hint) in [
            ("5050", "without an address", "\"127.0.0.1:5050\""),
            (":5050", "without an address", "\"127.0.0.1:5050\""),
            ("127.0.0.1", "without a port", "\"127.0.0.1:5050\""),
            ("::1", "without a port", "\"[::1]:5050\""),
            ("::1:5050:x", "not an IP address", "brackets"),
            ("localhost", "without a port", "\"localhost:5050\""),
            ("localhost:http", "port is not a number", "\"localhost:5050\""),
            ("localhost:99999", "port is not a number", "\"localhost:5050\""),
            ("unix:run/regpass.sock", "from / on", "unix:/run/regpass.sock"),
            ("unix:@regpass", "from / on", "unix:/run/regpass.sock"),
            ("unix:/run/", "from / on", "unix:/run/regpass.sock"),
            ("unix:", "from / on", "unix:/run/regpass.sock"),
            (long.as_str(), "longer than the 107 bytes", "unix:/run/regpass.sock"),
            ("/run/regpass.sock", "without a word before", "\"unix:/run/regpass.sock\""),
            ("proxy.example:5050", "not an IP address", "not looked up"),
            ("", "not an IP address", "localhost:5050"),
        ] {
            let fault = parse(text).unwrap_err();
            assert!(fault.what.contains(what), "{text}: {}", fault.what);
            assert!(fault.hint.clone().unwrap().contains(hint), "{text}: {:?}", fault.hint);
        }
    }

    #[test]
    fn what_only_this_machine_reaches_is_told_from_the_rest() {
        for (text, loopback) in [
            ("127.8.0.1:1", true),
            ("unix:/run/regpass.sock", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
            ("10.0.0.1:1", false),
        ] {
            assert_eq!(parse_one(text).unwrap().is_local(), loopback, "{text}");
        }
    }
}
