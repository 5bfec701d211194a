//! What the answers to an authorized request may not repeat.

use super::grant;
use crate::base::sent::Sent;
use crate::credential::Credential;

/// What a call of a token service carries, in its header or in its form.
pub fn sent_with(credential: &Credential) -> Sent {
    let sent = grant::basic(credential).as_ref().map(Sent::header).unwrap_or_default();
    match credential {
        Credential::Anonymous => sent,
        Credential::Password { password: secret, .. }
        | Credential::Identity { token: secret, .. }
        | Credential::Bearer { token: secret } => sent.and(Sent::secret(secret)),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::base::origin::Url;
    use crate::base::secret::Secret;

    #[test]
    fn a_secret_is_known_in_every_form() {
        let credential = Credential::Password { username: "alice".into(), password: Secret::new("a \"b\"/ü") };
        for text in [
            r#"wrong password: a "b"/ü"#,
            r#"{"sent":"a \"b\"/ü"}"#,
            "?password=a+%22b%22%2F%C3%BC",
            "?password=a%20%22b%22%2F%C3%BC&x",
            "Authorization: Basic YWxpY2U6YSAiYiIvw7w=",
        ] {
            assert!(sent_with(&credential).is_in(text), "{text}");
            let header = grant::basic(&credential).unwrap();
            assert!(Sent::header(&header).is_in(text), "{text}");
        }
        let signed = Url::parse("https://s.io/b?v=2024-01-01&sig=0123456789%2Babcdef%3D").unwrap();
        assert!(Sent::url(&signed).is_in("you sent 0123456789+abcdef=") && !Sent::url(&signed).is_in("v=2024-01-01"));
        assert!(!sent_with(&credential).is_in("alice may not do this"));
        assert!(!sent_with(&Credential::Anonymous).is_in("anything"));
        assert_eq!(format!("{:?}", Sent::header(&HeaderValue::from_static("Bearer abc"))), "Sent([[redacted]])");
    }

    #[test]
    fn a_short_password_is_looked_for_as_a_word() {
        let credential = Credential::Password { username: "alice".into(), password: Secret::new("test") };
        assert!(sent_with(&credential).is_in("the password 'test' is wrong"));
        assert!(!sent_with(&credential).is_in("the tag latest is not known, said the tester"));
        let credential = Credential::Password { username: "alice".into(), password: Secret::new("wonderland") };
        assert!(sent_with(&credential).is_in("?q=%22wonderland%22"));
    }
}
