//! What flags and variables say, which beats the file.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::address::{self, Bind};
use super::model::CredentialSource;
use super::problem::{Fault, Located, Place, Problem};
use super::values;
use super::variables::Variables;
use crate::base::host::RegistryHost;
use crate::net::socket::ListenAddress;
use crate::oci::operation::Access;

/// The flags as they were given. Kept for the life of the process: a reload applies them again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    pub config: Option<PathBuf>,
    pub listen: Vec<String>,
    pub admin: Option<String>,
    pub registry: Option<String>,
    pub allow: Option<String>,
    pub docker_credentials: Option<DockerCredentials>,
    pub insecure_open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerCredentials {
    UsualPlaces,
    File(PathBuf),
}

/// Flags and variables together, understood.
#[derive(Debug, Default)]
pub(super) struct Choices {
    pub(super) listen: Option<Vec<Located<Bind>>>,
    pub(super) admin: Option<Located<ListenAddress>>,
    pub(super) registry: Option<Located<RegistryHost>>,
    pub(super) allow: Option<BTreeSet<Access>>,
    pub(super) credential: Option<CredentialSource>,
    pub(super) insecure_open: bool,
}

impl Overrides {
    pub(super) fn choices(&self, variables: Variables<'_>) -> (Choices, Vec<Problem>) {
        let mut reader = Reader { variables, problems: Vec::new() };
        let choices = Choices {
            listen: reader.listen(&self.listen),
            admin: reader.setting(self.admin.as_ref(), "--admin", "REGPASS_ADMIN", address::parse_one),
            registry: reader.setting(self.registry.as_ref(), "--registry", "REGPASS_REGISTRY", values::registry),
            allow: reader
                .setting(self.allow.as_ref(), "--allow", "REGPASS_ALLOW", values::access_list)
                .map(|allow| allow.value),
            credential: reader.docker_credentials(self.docker_credentials.as_ref()),
            insecure_open: reader.insecure_open(self.insecure_open),
        };
        (choices, reader.problems)
    }
}

struct Reader<'a> {
    variables: Variables<'a>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn setting<T>(
        &mut self,
        flag: Option<&String>,
        flag_name: &str,
        variable: &str,
        parse: impl Fn(&str) -> Result<T, Fault>,
    ) -> Option<Located<T>> {
        let (name, text) = match flag {
            Some(text) => (flag_name, text.clone()),
            None => (variable, self.variable(variable)?),
        };
        let place = Place::setting(name);
        let value = self.parsed(&place, &text, parse)?;
        Some(Located { value, place })
    }

    fn listen(&mut self, flags: &[String]) -> Option<Vec<Located<Bind>>> {
        let (name, texts) = match flags {
            [] => {
                let text = self.variable("REGPASS_LISTEN")?;
                ("REGPASS_LISTEN", text.split(',').map(|address| address.trim().to_owned()).collect())
            }
            flags => ("--listen", flags.to_vec()),
        };
        let place = Place::setting(name);
        let binds = texts.iter().filter_map(|text| self.parsed(&place, text, address::parse)).flatten();
        Some(binds.map(|value| Located { value, place: place.clone() }).collect())
    }

    fn docker_credentials(&mut self, flag: Option<&DockerCredentials>) -> Option<CredentialSource> {
        const VARIABLE: &str = "REGPASS_DOCKER_CREDENTIALS";
        let file = match flag {
            Some(DockerCredentials::UsualPlaces) => None,
            Some(DockerCredentials::File(file)) => Some(file.clone()),
            None => {
                let value = self.variables.path(VARIABLE)?;
                match value.to_str() {
                    Some("1") => None,
                    // A person who writes such a word means a switch; it would be taken for a file that is not there.
                    Some("0" | "false" | "no" | "true" | "yes") => {
                        let fault = Fault::new("it is neither 1 nor a path")
                            .hint("write 1 for the usual places, or the path of a config.json, or leave it unset");
                        self.problems.push(Place::setting(VARIABLE).problem(fault));
                        return None;
                    }
                    _ => Some(value),
                }
            }
        };
        Some(CredentialSource::Docker { file })
    }

    fn insecure_open(&mut self, flag: bool) -> bool {
        const VARIABLE: &str = "REGPASS_INSECURE_OPEN";
        let switch = |text: &str| match text {
            "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err(Fault::new("it is neither 1 nor 0").hint("write 1, or leave it unset")),
        };
        flag || self.setting(None, "--insecure-open", VARIABLE, switch).is_some_and(|open| open.value)
    }

    fn variable(&mut self, name: &str) -> Option<String> {
        match self.variables.text(name) {
            Ok(text) => text,
            Err(why) => {
                self.problems.push(Place::setting(name).problem(Fault::new(why.to_string())));
                None
            }
        }
    }

    fn parsed<T>(&mut self, place: &Place, text: &str, parse: impl Fn(&str) -> Result<T, Fault>) -> Option<T> {
        parse(text).map_err(|fault| self.problems.push(place.problem(fault))).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn choices(flags: &Overrides, variables: &[(&str, &str)]) -> (Choices, Vec<Problem>) {
        let read = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value));
        flags.choices(Variables::new(&read))
    }

    #[test]
    fn flags_beat_variables_and_empty_variables_are_unset() {
        let variables = [
            ("REGPASS_LISTEN", "127.0.0.1:1, localhost:2, unix:/run/r.sock"),
            ("REGPASS_ADMIN", "127.0.0.1:3"),
            ("REGPASS_REGISTRY", "index.docker.io"),
            ("REGPASS_ALLOW", "pull,push"),
            ("REGPASS_DOCKER_CREDENTIALS", "/c.json"),
            ("REGPASS_INSECURE_OPEN", "1"),
        ];
        let (from_variables, problems) = choices(&Overrides::default(), &variables);
        assert_eq!(problems, []);
        let listen: Vec<String> =
            from_variables.listen.unwrap().iter().map(|bind| bind.value.address.to_string()).collect();
        assert_eq!(listen, ["127.0.0.1:1", "127.0.0.1:2", "[::1]:2", "unix:/run/r.sock"]);
        assert_eq!(from_variables.admin.unwrap().value.to_string(), "127.0.0.1:3");
        assert_eq!(from_variables.registry.unwrap().value.as_str(), "docker.io");
        assert_eq!(from_variables.allow.unwrap().len(), 2);
        assert_eq!(from_variables.credential, Some(CredentialSource::Docker { file: Some("/c.json".into()) }));
        assert!(from_variables.insecure_open);

        let flags = Overrides {
            listen: vec!["127.0.0.1:9".to_owned()],
            admin: Some("[::1]:8".to_owned()),
            registry: Some("ghcr.io".to_owned()),
            allow: Some("pull".to_owned()),
            docker_credentials: Some(DockerCredentials::UsualPlaces),
            ..Overrides::default()
        };
        let (from_flags, problems) = choices(&flags, &variables);
        assert_eq!(problems, []);
        assert_eq!(from_flags.listen.unwrap()[0].value.address.to_string(), "127.0.0.1:9");
        assert_eq!(from_flags.admin.unwrap().value.to_string(), "[::1]:8");
        assert_eq!(from_flags.registry.unwrap().value.as_str(), "ghcr.io");
        assert_eq!(from_flags.allow.unwrap().len(), 1);
        assert_eq!(from_flags.credential, Some(CredentialSource::Docker { file: None }));

        let empty: Vec<(&str, &str)> = variables.iter().map(|(name, _)| (*name, "")).collect();
        let (nothing, problems) = choices(&Overrides::default(), &empty);
        assert_eq!(problems, []);
        assert!(nothing.listen.is_none() && nothing.credential.is_none() && !nothing.insecure_open);
    }

    #[test]
    fn every_bad_flag_and_variable_is_named() {
        let flags = Overrides { listen: vec!["5050".to_owned(), "x".to_owned()], ..Overrides::default() };
        let variables = [
            ("REGPASS_ADMIN", "unix:x"),
            ("REGPASS_REGISTRY", "https://ghcr.io"),
            ("REGPASS_ALLOW", "write"),
            ("REGPASS_DOCKER_CREDENTIALS", "true"),
            ("REGPASS_INSECURE_OPEN", "maybe"),
        ];
        let (_, problems) = choices(&flags, &variables);
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "--listen",
                "--listen",
                "REGPASS_ADMIN",
                "REGPASS_REGISTRY",
                "REGPASS_ALLOW",
                "REGPASS_DOCKER_CREDENTIALS",
                "REGPASS_INSECURE_OPEN"
            ]
        );
        assert!(problems.iter().all(|problem| !problem.hint.is_empty()), "{problems:#?}");
    }
}
