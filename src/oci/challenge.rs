//! A lenient parser for `WWW-Authenticate`.
//!
//! RFC 9110, section 11.6.1 allows several challenges in one line and several lines. Registries also send unquoted
//! URLs, empty values, missing commas and unknown schemes. Parsing never fails: unreadable parts are skipped. The
//! result is not trusted: `auth` checks a realm before it uses it.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// One challenge. Scheme and parameter names are in lower case, values as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub scheme: String,
    params: Vec<(String, String)>,
}

impl Challenge {
    /// Every challenge of every `WWW-Authenticate` line, in order.
    pub fn parse_all(headers: &HeaderMap) -> Vec<Self> {
        let lines = headers.get_all(WWW_AUTHENTICATE).iter();
        lines.flat_map(|line| Self::parse_line(&String::from_utf8_lossy(line.as_bytes()))).collect()
    }

    /// The challenges of one header line.
    pub fn parse_line(line: &str) -> Vec<Self> {
        let mut challenges: Vec<Self> = Vec::new();
        let mut scanner = Scanner { rest: line };
        while let Some(word) = scanner.next_token() {
            if scanner.consume('=') {
                let value = scanner.param_value();
                if let Some(challenge) = challenges.last_mut() {
                    challenge.params.push((word.to_ascii_lowercase(), value));
                }
            } else {
                challenges.push(Self { scheme: word.to_ascii_lowercase(), params: Vec::new() });
                scanner.skip_token68();
            }
        }
        challenges
    }

    /// The value of a parameter; the first of duplicates. `None` when it is missing or empty.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Whether a parameter is present and empty.
    pub fn has_empty_param(&self, name: &str) -> bool {
        self.params.iter().any(|(key, value)| key == name && value.is_empty())
    }
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    /// The next token. Everything in front of it is skipped.
    fn next_token(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start_matches(|c: char| !is_token(c));
        let end = self.rest.find(|c| !is_token(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    /// Consumes `mark` with the blanks around it; returns whether it was there.
    fn consume(&mut self, mark: char) -> bool {
        let Some(rest) = self.rest.trim_start_matches(BLANKS).strip_prefix(mark) else { return false };
        self.rest = rest.trim_start_matches(BLANKS);
        true
    }

    /// A quoted string, or everything up to a comma or blank. An unterminated quoted string extends to the end.
    fn param_value(&mut self) -> String {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let end = self.rest.find([',', ' ', '\t']).unwrap_or(self.rest.len());
            let (value, rest) = self.rest.split_at(end);
            self.rest = rest;
            return value.to_owned();
        };
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &quoted[at + 1..];
                    return value;
                }
                '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
                _ => value.push(c),
            }
        }
        self.rest = "";
        value
    }

    /// Skips the opaque value (`token68`) that schemes such as `Negotiate` have instead of parameters.
    fn skip_token68(&mut self) {
        let candidate = self.rest.trim_start_matches(BLANKS);
        let end = candidate.find([',', ' ', '\t']).unwrap_or(candidate.len());
        let (word, rest) = candidate.split_at(end);
        let body = word.trim_end_matches('=');
        let is_padded = body.len() < word.len();
        let is_token68 = !body.is_empty() && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b));
        // `realm=` is a parameter with an empty value, `YII=` an opaque value. A value counts as opaque if it ends the
        // challenge and has upper-case letters, `+` or `/`, which are unusual or invalid in parameter names.
        let ends_challenge = rest.trim_start_matches(BLANKS).is_empty() || rest.starts_with(',');
        let is_opaque = body.bytes().any(|b| b.is_ascii_uppercase() || b"+/".contains(&b));
        if is_token68 && is_padded && is_opaque && ends_challenge {
            self.rest = rest;
        }
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

/// Whether `c` may be part of a token (RFC 9110, section 5.6.2).
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> Vec<String> {
        let show = |challenge: &Challenge| {
            let params: Vec<_> = challenge.params.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("{} {}", challenge.scheme, params.join("|")).trim_end().to_owned()
        };
        Challenge::parse_line(line).iter().map(show).collect()
    }

    #[test]
    fn irregular_headers_are_parsed() {
        for (line, expected) in [
            (
                r#"Bearer realm="https://a.io/token",service="a.io""#,
                vec!["bearer realm=https://a.io/token|service=a.io"],
            ),
            (r"bearer realm=https://a.io/token,service=gcr.io", vec!["bearer realm=https://a.io/token|service=gcr.io"]),
            (r#"Bearer realm="r" service="s""#, vec!["bearer realm=r|service=s"]),
            ("BEARER  \trealm = \"r\"", vec!["bearer realm=r"]),
            (r#"Bearer realm="r",scope="repository:a:pull,push""#, vec!["bearer realm=r|scope=repository:a:pull,push"]),
            (
                r#"Bearer realm="https://h/v2/token",service="c",scope="*",Basic realm="https://h/v2",service="c",scope="*""#,
                vec!["bearer realm=https://h/v2/token|service=c|scope=*", "basic realm=https://h/v2|service=c|scope=*"],
            ),
            (r#"Negotiate, Bearer realm="r""#, vec!["negotiate", "bearer realm=r"]),
            (r#"Negotiate YII+x/==, Bearer realm="r""#, vec!["negotiate", "bearer realm=r"]),
            (r#"Bearer realm="a\"b\\c""#, vec![r#"bearer realm=a"b\c"#]),
            (r#"Bearer realm="unterminated,service=s"#, vec!["bearer realm=unterminated,service=s"]),
            ("Bearer realm=,service=", vec!["bearer realm=|service="]),
            ("Basic", vec!["basic"]),
            ("Basic realm=/", vec!["basic realm=/"]),
            ("", vec![]),
            (" , ,, ", vec![]),
            (r#"realm="stray""#, vec![]),
            ("Bearer realm='r'", vec!["bearer realm='r'"]),
            ("\u{fffd}\u{fffd} Bearer realm=r", vec!["bearer realm=r"]),
            (
                r#"Bearer realm="https://h/p?scope=repository:a:pull,push""#,
                vec!["bearer realm=https://h/p?scope=repository:a:pull,push"],
            ),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }

    #[test]
    fn all_header_lines_are_parsed_and_an_empty_parameter_has_no_value() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, r#"Bearer realm="r",scope="""#.parse().unwrap());
        headers.append(WWW_AUTHENTICATE, "Basic".parse().unwrap());
        let all = Challenge::parse_all(&headers);
        assert_eq!(all.iter().map(|c| c.scheme.as_str()).collect::<Vec<_>>(), ["bearer", "basic"]);
        assert_eq!((all[0].param("realm"), all[0].param("scope"), all[0].param("service")), (Some("r"), None, None));
    }

    proptest::proptest! {
        #[test]
        fn parser_never_panics(line in ".*") {
            Challenge::parse_line(&line);
        }

        /// A header that the strict parser of the `http-auth` crate accepts gives the same result here.
        #[test]
        fn valid_header_is_parsed_as_by_a_strict_parser(
            line in r#"(Bearer|Basic|digest) [a-z]{1,5}=("[a-z:/,. ]{0,8}"|[a-z]{1,5})(, ?[a-z]{1,5}="[a-z\\\\"]{0,4}"){0,3}"#
        ) {
            if let Ok(strict) = http_auth::parse_challenges(&line) {
                let strict: Vec<_> = strict.iter().map(|one| {
                    let params = one.params.iter().map(|(k, v)| (k.to_ascii_lowercase(), v.to_unescaped())).collect();
                    Challenge { scheme: one.scheme.to_ascii_lowercase(), params }
                }).collect();
                proptest::prop_assert_eq!(Challenge::parse_line(&line), strict);
            }
        }
    }
}
