//! `WWW-Authenticate`, read as leniently as registries write it.
//!
//! RFC 9110, section 11.6.1 allows several challenges in one line and several lines; registries add unquoted URLs,
//! empty values, missing commas and schemes nobody knows (rule 1 of the project's registry notes). Nothing here
//! fails: what cannot be read is skipped, and what can be read is believed by nobody yet.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// One challenge. Scheme and parameter names are lower case; values are as sent.
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
        while let Some(word) = scanner.word() {
            if scanner.takes('=') {
                let value = scanner.value();
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

    /// A parameter's value. Of duplicates the first counts; an empty value is as good as none.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Whether a parameter stands there with nothing in it.
    pub fn leaves_empty(&self, name: &str) -> bool {
        self.params.iter().any(|(key, value)| key == name && value.is_empty())
    }
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    /// The next token, past blanks and commas and past whatever is neither.
    fn word(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start_matches(|c: char| !is_token(c));
        let end = self.rest.find(|c| !is_token(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    /// Takes `mark`, blanks around it allowed.
    fn takes(&mut self, mark: char) -> bool {
        let Some(rest) = self.rest.trim_start_matches(BLANKS).strip_prefix(mark) else { return false };
        self.rest = rest.trim_start_matches(BLANKS);
        true
    }

    /// A quoted string, or everything up to a comma or blank. An unterminated quote takes the rest.
    fn value(&mut self) -> String {
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

    /// Skips the one opaque word that schemes such as `Negotiate` carry instead of parameters (`token68`).
    fn skip_token68(&mut self) {
        let candidate = self.rest.trim_start_matches(BLANKS);
        let end = candidate.find([',', ' ', '\t']).unwrap_or(candidate.len());
        let (word, rest) = candidate.split_at(end);
        let body = word.trim_end_matches('=');
        let padded = body.len() < word.len();
        let is_token68 = !body.is_empty() && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b));
        // `realm=` is a parameter with an empty value, `YII=` an opaque word: only what follows tells them apart.
        let ends_challenge = rest.trim_start_matches(BLANKS).is_empty() || rest.starts_with(',');
        let odd = body.bytes().any(|b| b.is_ascii_uppercase() || b"+/".contains(&b));
        if is_token68 && padded && odd && ends_challenge {
            self.rest = rest;
        }
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

/// RFC 9110, section 5.6.2.
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
    fn odd_headers_are_read() {
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
    fn lines_add_up_and_empty_values_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, r#"Bearer realm="r",scope="""#.parse().unwrap());
        headers.append(WWW_AUTHENTICATE, "Basic".parse().unwrap());
        let all = Challenge::parse_all(&headers);
        assert_eq!(all.iter().map(|c| c.scheme.as_str()).collect::<Vec<_>>(), ["bearer", "basic"]);
        assert_eq!((all[0].param("realm"), all[0].param("scope"), all[0].param("service")), (Some("r"), None, None));
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_fail(line in ".*") {
            Challenge::parse_line(&line);
        }

        /// Where the strict parser of the `http-auth` crate reads a header, both read the same.
        #[test]
        fn valid_headers_read_as_a_strict_parser_reads_them(
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
