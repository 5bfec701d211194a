//! Flags and environment variables, which take precedence over the file.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::address::{self, BindAddress};
use super::model::CredentialSource;
use super::problem::{Fault, Located, Location, Problem};
use super::values;
use super::variables::Variables;
use crate::base::host::RegistryHost;
use crate::listen::address::ListenAddress;
use crate::oci::operation::Access;

/// The flags of the command line, unparsed. They are kept for the life of the process, because a reload applies them
/// again.
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

/// The value of `--docker-credentials`: read the files at docker's and podman's default paths, or one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerCredentials {
    DefaultPaths,
    File(PathBuf),
}

/// Flags and environment variables combined and parsed; `None` where neither is set.
#[derive(Debug, Default)]
pub(super) struct ParsedOverrides {
    pub(super) listen: Option<Vec<Located<BindAddress>>>,
    pub(super) admin: Option<Located<ListenAddress>>,
    pub(super) registry: Option<Located<RegistryHost>>,
    pub(super) allow: Option<BTreeSet<Access>>,
    pub(super) credential: Option<CredentialSource>,
    pub(super) insecure_open: bool,
}

impl Overrides {
    /// Parses the flags, and the environment variables of settings without a flag; returns every problem found.
    pub(super) fn parse(&self, variables: Variables<'_>) -> (ParsedOverrides, Vec<Problem>) {
        let mut parser = Parser { variables, problems: Vec::new() };
        let parsed = ParsedOverrides {
            listen: parser.listen(&self.listen),
            admin: parser.setting(self.admin.as_ref(), "--admin", "REGPASS_ADMIN", address::parse_one),
            registry: parser.setting(self.registry.as_ref(), "--registry", "REGPASS_REGISTRY", values::registry),
            allow: parser
                .setting(self.allow.as_ref(), "--allow", "REGPASS_ALLOW", values::access_list)
                .map(|allow| allow.value),
            credential: parser.docker_credentials(self.docker_credentials.as_ref()),
            insecure_open: parser.insecure_open(self.insecure_open),
        };
        (parsed, parser.problems)
    }
}

struct Parser<'a> {
    variables: Variables<'a>,
    problems: Vec<Problem>,
}

impl Parser<'_> {
    /// The value of a flag, else of its environment variable.
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
        let location = Location::setting(name);
        let value = self.parse_value(&location, &text, parse)?;
        Some(Located { value, location })
    }

    fn listen(&mut self, flags: &[String]) -> Option<Vec<Located<BindAddress>>> {
        let (name, texts) = match flags {
            [] => {
                let text = self.variable("REGPASS_LISTEN")?;
                ("REGPASS_LISTEN", text.split(',').map(|address| address.trim().to_owned()).collect())
            }
            flags => ("--listen", flags.to_vec()),
        };
        let location = Location::setting(name);
        let binds = texts.iter().filter_map(|text| self.parse_value(&location, text, address::parse)).flatten();
        Some(binds.map(|value| Located { value, location: location.clone() }).collect())
    }

    fn docker_credentials(&mut self, flag: Option<&DockerCredentials>) -> Option<CredentialSource> {
        const VARIABLE: &str = "REGPASS_DOCKER_CREDENTIALS";
        let file = match flag {
            Some(DockerCredentials::DefaultPaths) => None,
            Some(DockerCredentials::File(file)) => Some(file.clone()),
            None => {
                let value = self.variables.path(VARIABLE)?;
                match value.to_str() {
                    Some("1") => None,
                    // These words are meant as a switch; as a path they would name a file that does not exist.
                    Some("0" | "false" | "no" | "true" | "yes") => {
                        let fault = Fault::new("expected `1` or a path").hint(
                            "write `1` for the default paths, or the path of a `config.json`, or unset the variable",
                        );
                        self.problems.push(Location::setting(VARIABLE).problem(fault));
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
            _ => Err(Fault::new("expected `1` or `0`").hint("write `1`, or unset the variable")),
        };
        flag || self.setting(None, "--insecure-open", VARIABLE, switch).is_some_and(|open| open.value)
    }

    fn variable(&mut self, name: &str) -> Option<String> {
        match self.variables.text(name) {
            Ok(text) => text,
            Err(error) => {
                self.problems.push(Location::setting(name).problem(Fault::new(error.to_string())));
                None
            }
        }
    }

    fn parse_value<T>(
        &mut self,
        location: &Location,
        text: &str,
        parse: impl Fn(&str) -> Result<T, Fault>,
    ) -> Option<T> {
        parse(text).map_err(|fault| self.problems.push(location.problem(fault))).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn parse(flags: &Overrides, variables: &[(&str, &str)]) -> (ParsedOverrides, Vec<Problem>) {
        let read = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value));
        flags.parse(Variables::new(&read))
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
        let (from_variables, problems) = parse(&Overrides::default(), &variables);
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
            docker_credentials: Some(DockerCredentials::DefaultPaths),
            ..Overrides::default()
        };
        let (from_flags, problems) = parse(&flags, &variables);
        assert_eq!(problems, []);
        assert_eq!(from_flags.listen.unwrap()[0].value.address.to_string(), "127.0.0.1:9");
        assert_eq!(from_flags.admin.unwrap().value.to_string(), "[::1]:8");
        assert_eq!(from_flags.registry.unwrap().value.as_str(), "ghcr.io");
        assert_eq!(from_flags.allow.unwrap().len(), 1);
        assert_eq!(from_flags.credential, Some(CredentialSource::Docker { file: None }));

        let empty: Vec<(&str, &str)> = variables.iter().map(|(name, _)| (*name, "")).collect();
        let (nothing, problems) = parse(&Overrides::default(), &empty);
        assert_eq!(problems, []);
        assert!(nothing.listen.is_none() && nothing.credential.is_none() && !nothing.insecure_open);
    }

    #[test]
    fn every_invalid_flag_and_variable_is_reported() {
        let flags = Overrides { listen: vec!["5050".to_owned(), "x".to_owned()], ..Overrides::default() };
        let variables = [
            ("REGPASS_ADMIN", "unix:x"),
            ("REGPASS_REGISTRY", "https://ghcr.io"),
            ("REGPASS_ALLOW", "write"),
            ("REGPASS_DOCKER_CREDENTIALS", "true"),
            ("REGPASS_INSECURE_OPEN", "maybe"),
        ];
        let (_, problems) = parse(&flags, &variables);
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
