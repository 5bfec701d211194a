//! htpasswd files: user names and bcrypt hashes of their passwords, as `htpasswd -B` writes them.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use bcrypt::HashParts;

use crate::base::file_text;
use crate::base::watched_file::FileError;

/// The users of one htpasswd file; a parsed file has at least one.
#[derive(Default)]
pub struct Users {
    hashes: HashMap<Box<str>, Box<str>>,
    /// The hash that takes longest to check. Passwords of unknown users are checked against it, so that the response
    /// time does not reveal whether a user exists.
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

/// Reads and validates a file once, without watching it for changes.
pub fn read(file: &Path) -> Result<Users, FileError> {
    let text = file_text::read(file, MAX_BYTES).map_err(|error| wrong(file, error))?;
    parse(file, &text)
}

/// Parses the file. An invalid line is an error, because skipping it would silently lock out its user.
pub(super) fn parse(file: &Path, text: &str) -> Result<Users, FileError> {
    let mut users = Users::default();
    let mut highest_cost = 0;
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
        // Further fields belong to other programs.
        let hash = rest.split(':').next().unwrap_or_default();
        let is_bcrypt = ["$2a$", "$2b$", "$2y$"].iter().any(|kind| hash.starts_with(kind));
        let Some(parts) = HashParts::from_str(hash).ok().filter(|_| is_bcrypt) else {
            return Err(bad(format!(
                "the password of {name} is not hashed with bcrypt{}; set it again with: htpasswd -B {} USER",
                other_hash(hash),
                file.display()
            )));
        };
        let cost = parts.get_cost();
        if cost > MAX_COST {
            return Err(bad(format!(
                "the hash of {name} has cost {cost}, which takes too long to check; the maximum is {MAX_COST}"
            )));
        }
        if user.is_empty() {
            return Err(bad("the user has no name".to_owned()));
        }
        if users.hashes.insert(user.into(), hash.into()).is_some() {
            return Err(bad(format!("{name} is in the file twice; remove one of the lines")));
        }
        if cost >= highest_cost {
            (highest_cost, users.slowest) = (cost, hash.into());
        }
    }
    if users.hashes.is_empty() {
        return Err(wrong(file, format!("contains no user; add one with: htpasswd -B {} USER", file.display())));
    }
    Ok(users)
}

/// The kind of a hash that regpass does not check, for a message; empty for crypt's and for plain text.
fn other_hash(hash: &str) -> &'static str {
    match hash {
        sha if sha.starts_with("{SHA}") => " but with SHA-1",
        md5 if md5.starts_with("$apr1$") || md5.starts_with("$1$") => " but with MD5",
        sha2 if sha2.starts_with("$5$") || sha2.starts_with("$6$") => " but with SHA-2",
        argon2 if argon2.starts_with("$argon2") => " but with Argon2",
        bcrypt if bcrypt.starts_with("$2") => ", or its hash is incomplete",
        _ => "",
    }
}

/// The user name for messages; not repeated when it looks like a hash or is longer than 64 bytes.
fn shown(user: &str) -> String {
    if user.starts_with('$') || user.len() > MAX_SHOWN {
        "a user".to_owned()
    } else {
        format!("'{}'", user.escape_debug())
    }
}

fn wrong(file: &Path, what: impl fmt::Display) -> FileError {
    FileError::new(format!("the htpasswd file {} {what}", file.display()))
}

/// A hash of this cost takes seconds to check, and each further step doubles the time.
const MAX_COST: u32 = 15;
const MAX_SHOWN: usize = 64;
/// The largest file, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "$2y$05$abcdefghijklmnopqrstuuGDYAz0Xy0ZWQd2hPJvXMu/JfXb4T8Qa";

    #[test]
    fn users_are_parsed_with_their_hashes() {
        let text = format!("# comment\n\nalice:{ALICE}\r\n bob:{}:more\n", ALICE.replace("$05$", "$06$"));
        let users = parse(Path::new("/f"), &text).unwrap();
        assert_eq!(users.hash("alice"), Some(ALICE));
        assert!(users.hash("bob").unwrap().starts_with("$2y$06$") && users.slowest().starts_with("$2y$06$"));
        assert_eq!(users.hash("carol"), None);
        assert!(!format!("{users:?}").contains('$'), "hashes are not printed");
    }

    #[test]
    fn error_names_line_and_user_and_never_a_hash() {
        for (text, part) in [
            ("", "contains no user"),
            ("# only this", "contains no user"),
            ("alice", "line 1: there is no colon"),
            ("# x\nalice:$apr1$hunter2$hunter2", "line 2: the password of 'alice' is not hashed with bcrypt"),
            (
                "alice:{SHA}hunter2hunter2",
                "is not hashed with bcrypt but with SHA-1; set it again with: htpasswd -B /f USER",
            ),
            ("alice:$6$hunter2", "but with SHA-2"),
            ("alice:$argon2id$hunter2", "but with Argon2"),
            ("alice:hunter2", "not hashed with bcrypt"),
            ("alice:$2y$05$hunter2", "not hashed with bcrypt, or its hash is incomplete"),
            ("alice:$5$rounds=5$hunter2", "not hashed with bcrypt"),
            ("$2y$05$hunter2:alice", "the password of a user"),
            ("alice:", "not hashed with bcrypt"),
        ] {
            let error = parse(Path::new("/f"), text).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("/f"), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        for (text, part) in [
            (format!("a:{ALICE}\na:{ALICE}"), "line 2: 'a' is in the file twice"),
            (format!(":{ALICE}"), "no name"),
            (format!("a:{}", ALICE.replace("$05$", "$31$")), "cost 31"),
        ] {
            let error = parse(Path::new("/f"), &text).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("GDYAz"), "{error}");
        }
    }
}
