//! Where to listen, as people write it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::problem::Fault;

/// An address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bind {
    pub(super) address: SocketAddr,
    /// Not every machine has IPv6: an address nobody wrote out may be missing.
    pub(super) optional: bool,
}

/// `127.0.0.1:5050`, `[::1]:5050`, or `localhost:5050` for both loopback addresses.
pub(super) fn parse(text: &str) -> Result<Vec<Bind>, Fault> {
    if let Ok(address) = text.parse() {
        return Ok(vec![Bind { address, optional: false }]);
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
pub(super) fn parse_one(text: &str) -> Result<SocketAddr, Fault> {
    parse(text).map(|binds| binds[0].address)
}

pub(super) fn localhost(port: u16) -> Vec<Bind> {
    vec![
        Bind { address: (Ipv4Addr::LOCALHOST, port).into(), optional: false },
        Bind { address: (Ipv6Addr::LOCALHOST, port).into(), optional: true },
    ]
}

/// Whether only this machine reaches the address.
pub(super) fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn fault(text: &str) -> Fault {
    let port = text.strip_prefix(':').unwrap_or(text);
    if text.starts_with("unix:") {
        Fault::new("this version has no unix sockets").hint("write an IP address and a port: \"127.0.0.1:5050\"")
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
        for (text, what, hint) in [
            ("5050", "without an address", "\"127.0.0.1:5050\""),
            (":5050", "without an address", "\"127.0.0.1:5050\""),
            ("127.0.0.1", "without a port", "\"127.0.0.1:5050\""),
            ("::1", "without a port", "\"[::1]:5050\""),
            ("::1:5050:x", "not an IP address", "brackets"),
            ("localhost", "without a port", "\"localhost:5050\""),
            ("localhost:http", "port is not a number", "\"localhost:5050\""),
            ("localhost:99999", "port is not a number", "\"localhost:5050\""),
            ("unix:/run/regpass.sock", "no unix sockets", "127.0.0.1"),
            ("proxy.example:5050", "not an IP address", "not looked up"),
            ("", "not an IP address", "localhost:5050"),
        ] {
            let fault = parse(text).unwrap_err();
            assert!(fault.what.contains(what), "{text}: {}", fault.what);
            assert!(fault.hint.clone().unwrap().contains(hint), "{text}: {:?}", fault.hint);
        }
    }

    #[test]
    fn loopback_is_told_from_the_rest() {
        for (text, loopback) in [
            ("127.8.0.1:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
            ("10.0.0.1:1", false),
        ] {
            assert_eq!(is_loopback(text.parse().unwrap()), loopback, "{text}");
        }
    }
}
