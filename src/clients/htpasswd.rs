//! Files of users and the bcrypt hashes of their passwords, as `htpasswd -B` writes them.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use bcrypt::HashParts;

use crate::credential::CredentialError;

/// The users of one file. Never empty.
#[derive(Default)]
pub struct Users {
    hashes: HashMap<Box<str>, Box<str>>,
    /// The hash that takes longest to check: for users that do not exist, so that their absence does not show.
    slowest: Box<str>,
}

impl Users {
    pub(super) fn hash(&self, user: &str) -> Option<&str> {
        self.hashes.get(user).map(|hash| &**hash)
    }

    pub(super) fn slowest(&self) -> &str {
        &self.slowest
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("len", &self.hashes.len()).finish_non_exhaustive()
    }
}

/// Reads a file once, to find out what is wrong with it.
pub fn read(file: &Path) -> Result<Users, CredentialError> {
    let bytes = fs::read(file).map_err(|error| wrong(file, format!("cannot be read: {error}")))?;
    parse(file, &bytes)
}

/// All of the file or nothing: who leaves out the lines that it does not understand locks people out silently.
pub(super) fn parse(file: &Path, bytes: &[u8]) -> Result<Users, CredentialError> {
    let text = str::from_utf8(bytes).map_err(|_| wrong(file, "is not UTF-8 text"))?;
    let mut users = Users::default();
    let mut most = 0;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let bad = |what: String| wrong(file, format!("cannot be used: line {number}: {what}"));
        let Some((user, rest)) = line.split_once(':') else {
            return Err(bad("there is no colon between a user and a hash".to_owned()));
        };
        let name = shown(user);
        // Further fields are other programs' business.
        let hash = rest.split(':').next().unwrap_or_default();
        let known = ["$2a$", "$2b$", "$2y$"].iter().any(|kind| hash.starts_with(kind));
        let Some(parts) = HashParts::from_str(hash).ok().filter(|_| known) else {
            return Err(bad(format!(
                "the password of {name} is not hashed with bcrypt; make it anew with: htpasswd -B {} USER",
                file.display()
            )));
        };
        let cost = parts.get_cost();
        if cost > DEAREST {
            return Err(bad(format!(
                "the hash of {name} has the cost {cost}, which takes too long to check; {DEAREST} is the most"
            )));
        }
        if user.is_empty() {
            return Err(bad("the user has no name".to_owned()));
        }
        if users.hashes.insert(user.into(), hash.into()).is_some() {
            return Err(bad(format!("{name} stands in the file twice; leave one of the two out")));
        }
        if cost >= most {
            (most, users.slowest) = (cost, hash.into());
        }
    }
    if users.hashes.is_empty() {
        return Err(wrong(file, "names no user; add one with: htpasswd -B"));
    }
    Ok(users)
}

/// A user for messages. What looks like a hash at the wrong place is not repeated.
fn shown(user: &str) -> String {
    if user.starts_with('$') || user.len() > LONGEST {
        "a user".to_owned()
    } else {
        format!("'{}'", user.escape_debug())
    }
}

fn wrong(file: &Path, what: impl fmt::Display) -> CredentialError {
    CredentialError::new(format!("the htpasswd file {} {what}", file.display()))
}

/// Takes seconds; the next ones take minutes.
const DEAREST: u32 = 15;
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "$2y$05$abcdefghijklmnopqrstuuGDYAz0Xy0ZWQd2hPJvXMu/JfXb4T8Qa";

    #[test]
    fn users_are_read_with_their_hashes() {
        let text = format!("# comment\n\nalice:{ALICE}\r\n bob:{}:more\n", ALICE.replace("$05$", "$06$"));
        let users = parse(Path::new("/f"), text.as_bytes()).unwrap();
        assert_eq!(users.hash("alice"), Some(ALICE));
        assert!(users.hash("bob").unwrap().starts_with("$2y$06$") && users.slowest().starts_with("$2y$06$"));
        assert_eq!(users.hash("carol"), None);
        assert!(!format!("{users:?}").contains('$'), "hashes are not printed");
    }

    #[test]
    fn what_is_wrong_names_line_and_user_and_no_hash() {
        for (text, part) in [
            ("", "names no user"),
            ("# only this", "names no user"),
            ("alice", "line 1: there is no colon"),
            ("# x\nalice:$apr1$hunter2$hunter2", "line 2: the password of 'alice' is not hashed with bcrypt"),
            ("alice:{SHA}hunter2hunter2", "htpasswd -B /f USER"),
            ("alice:hunter2", "not hashed with bcrypt"),
            ("alice:$2y$05$hunter2", "not hashed with bcrypt"),
            ("alice:$5$rounds=5$hunter2", "not hashed with bcrypt"),
            ("$2y$05$hunter2:alice", "the password of a user"),
            ("alice:", "not hashed with bcrypt"),
        ] {
            let error = parse(Path::new("/f"), text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("/f"), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        for (text, part) in [
            (format!("a:{ALICE}\na:{ALICE}"), "line 2: 'a' stands in the file twice"),
            (format!(":{ALICE}"), "no name"),
            (format!("a:{}", ALICE.replace("$05$", "$31$")), "cost 31"),
        ] {
            let error = parse(Path::new("/f"), text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("GDYAz"), "{error}");
        }
        assert!(parse(Path::new("/f"), b"\xff").unwrap_err().to_string().contains("UTF-8"));
    }
}
