//! Finds and reads the configuration file, and decodes it together with flags and environment variables.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::decode;
use super::model::Config;
use super::overrides::Overrides;
use super::problem::{Fault, Location, Problem, Problems};
use super::variables::Variables;
use crate::base::file_text::{self, FileTextError};

/// Loads the configuration, or returns every problem of the file, the flags and the variables.
pub fn load(overrides: &Overrides, variables: Variables<'_>) -> Result<Config, Problems> {
    load_and_build(overrides, variables, |_| Ok(())).map(|(config, ())| config)
}

/// Loads the configuration like [`load`], and passes it to `build`. `build` runs even when there are problems already,
/// so that the problems it finds are reported together with those.
pub fn load_and_build<T>(
    overrides: &Overrides,
    variables: Variables<'_>,
    build: impl FnOnce(&Config) -> Result<T, Problems>,
) -> Result<(Config, T), Problems> {
    let (choices, mut problems) = overrides.parse(variables);
    let (file, text) = match find_file(overrides, variables) {
        Ok(Some((file, text))) => (Some(file), text),
        Ok(None) => (None, String::new()),
        Err(problem) => {
            problems.push(*problem);
            (None, String::new())
        }
    };
    let (config, found) = decode::decode(&text, file.as_deref(), &choices, variables);
    problems.extend(found);
    match config.map(|config| (build(&config), config)) {
        Some((Ok(value), config)) if problems.is_empty() => return Ok((config, value)),
        Some((Err(found), _)) => problems.extend(found.0),
        _ => {}
    }
    Err(Problems::new(problems))
}

/// The paths at which regpass looks for a configuration file: the one that is named explicitly, else the default paths.
pub fn search_paths(overrides: &Overrides, variables: Variables<'_>) -> Vec<PathBuf> {
    match explicit_path(overrides, variables) {
        Some((_, file)) => vec![file],
        None => default_paths(variables).collect(),
    }
}

/// Path and text of the configuration file: the one that is named explicitly, which must exist, else the first of the
/// default paths that exists.
fn find_file(overrides: &Overrides, variables: Variables<'_>) -> Result<Option<(PathBuf, String)>, Box<Problem>> {
    if let Some((setting, file)) = explicit_path(overrides, variables) {
        let Some(text) = read(&file)? else {
            let fault = Fault::new(format!("the configuration file `{}` does not exist", file.display()))
                .hint("name an existing file");
            return Err(Box::new(Location::setting(setting).problem(fault)));
        };
        return Ok(Some((file, text)));
    }
    for file in default_paths(variables) {
        if let Some(text) = read(&file)? {
            return Ok(Some((file, text)));
        }
    }
    Ok(None)
}

/// The path that a flag or a variable names, with the name of that flag or variable.
fn explicit_path(overrides: &Overrides, variables: Variables<'_>) -> Option<(&'static str, PathBuf)> {
    let from_variable = || variables.path("REGPASS_CONFIG").map(|file| ("REGPASS_CONFIG", file));
    overrides.config.clone().map(|file| ("--config", file)).or_else(from_variable)
}

fn default_paths(variables: Variables<'_>) -> impl Iterator<Item = PathBuf> {
    // The XDG Base Directory Specification requires relative paths to be ignored.
    let config_home = variables
        .path("XDG_CONFIG_HOME")
        .filter(|folder| folder.is_absolute())
        .or_else(|| variables.path("HOME").map(|home| home.join(".config")));
    let own = config_home.map(|folder| folder.join("regpass/config.toml"));
    own.into_iter().chain([PathBuf::from("/etc/regpass/config.toml")])
}

/// The text of a file; `None` where it does not exist.
fn read(path: &Path) -> Result<Option<String>, Box<Problem>> {
    let problem = |fault: Fault, position| {
        Box::new(Location { file: Some(path.to_owned()), position, key: String::new() }.problem(fault))
    };
    match file_text::read(path, MAX_SIZE) {
        Ok(text) => Ok(Some(text.to_string())),
        Err(error) if error.is_missing() => Ok(None),
        Err(FileTextError::Io(error)) if error.kind() == ErrorKind::IsADirectory => {
            Err(problem(Fault::new("the path is a directory, not a file"), None))
        }
        Err(FileTextError::Io(error)) => {
            Err(problem(Fault::new(format!("cannot read the file: {}", error.kind())), None))
        }
        Err(FileTextError::TooLarge(_)) => {
            Err(problem(Fault::new("the file is larger than 1 MiB, the most that is allowed"), None))
        }
        Err(FileTextError::NotText(error)) => {
            let fault = Fault::new(format!("the file is not text that regpass can read: {} here", error.reason));
            Err(problem(fault.hint("save it as UTF-8"), Some((error.line, error.column))))
        }
    }
}

/// Largest configuration file, in bytes.
const MAX_SIZE: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    struct Environment {
        home: tempfile::TempDir,
        variables: Vec<(&'static str, OsString)>,
    }

    impl Environment {
        fn new() -> Self {
            let home = tempfile::tempdir().unwrap();
            let variables = vec![("XDG_CONFIG_HOME", home.path().into())];
            Self { home, variables }
        }

        fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.home.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, bytes).unwrap();
            path
        }

        fn load(&self, overrides: &Overrides) -> Result<Config, Problems> {
            let read = |name: &str| self.variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone());
            load(overrides, Variables::new(&read))
        }
    }

    fn with_file(path: &Path) -> Overrides {
        Overrides { config: Some(path.to_owned()), ..Overrides::default() }
    }

    fn default_registry(config: &Config) -> &str {
        config.default_registry.as_str()
    }

    #[test]
    fn a_flag_beats_the_variable_and_the_variable_beats_the_default_paths() {
        let mut environment = Environment::new();
        assert_eq!(environment.load(&Overrides::default()).unwrap().file, None);

        environment.write("regpass/config.toml", b"default_registry = 'quay.io'");
        assert_eq!(default_registry(&environment.load(&Overrides::default()).unwrap()), "quay.io");

        let from_variable = environment.write("variable.toml", b"default_registry = 'gcr.io'");
        environment.variables.push(("REGPASS_CONFIG", from_variable.into()));
        assert_eq!(default_registry(&environment.load(&Overrides::default()).unwrap()), "gcr.io");

        let from_flag = environment.write("flag.toml", b"default_registry = 'ghcr.io'");
        let config = environment.load(&with_file(&from_flag)).unwrap();
        assert_eq!((default_registry(&config), config.file.as_deref()), ("ghcr.io", Some(from_flag.as_path())));
    }

    #[test]
    fn a_relative_xdg_folder_is_ignored_and_home_is_used() {
        let mut environment = Environment::new();
        let file = environment.write(".config/regpass/config.toml", b"");
        environment.variables = vec![("XDG_CONFIG_HOME", "relative".into()), ("HOME", environment.home.path().into())];
        assert_eq!(environment.load(&Overrides::default()).unwrap().file, Some(file));
    }

    #[test]
    fn a_missing_file_that_is_named_explicitly_is_a_problem() {
        let mut environment = Environment::new();
        let missing = environment.home.path().join("missing.toml");
        let problems = environment.load(&with_file(&missing)).unwrap_err().0;
        assert_eq!((problems[0].key.as_str(), problems.len()), ("--config", 1));
        environment.variables.push(("REGPASS_CONFIG", missing.into()));
        assert_eq!(environment.load(&Overrides::default()).unwrap_err().0[0].key, "REGPASS_CONFIG");
    }

    #[test]
    fn a_file_that_is_no_utf_8_text_is_reported() {
        let environment = Environment::new();
        let large = vec![b'#'; 1024 * 1024 + 1];
        for (bytes, what, line) in [
            (&b"a = 1\nb = '\xff'"[..], "not UTF-8", Some(2)),
            (b"a\0 \0=\0", "UTF-16 without a byte order mark", Some(1)),
            (large.as_slice(), "larger than 1 MiB", None),
        ] {
            let file = environment.write("bad.toml", bytes);
            let problem = environment.load(&with_file(&file)).unwrap_err().0.remove(0);
            assert!(problem.what.contains(what), "{problem}");
            assert_eq!((problem.file, problem.line), (Some(file), line));
        }
        let problem = environment.load(&with_file(environment.home.path())).unwrap_err().0.remove(0);
        assert!(problem.what.contains("directory"), "{problem}");
    }

    #[test]
    fn a_file_that_a_windows_tool_wrote_is_loaded() {
        let environment = Environment::new();
        let text = "# ü\r\ndefault_registry = 'quay.io'\r\n";
        let utf16: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [format!("\u{feff}{text}").as_bytes(), &utf16, format!("{text}\u{1a}").as_bytes()] {
            let file = environment.write("windows.toml", bytes);
            assert_eq!(default_registry(&environment.load(&with_file(&file)).unwrap()), "quay.io");
        }
        let file = environment.write("windows.toml", "\u{feff}allow = ['pull']\r\nallow_ = 1\r\n".as_bytes());
        let problem = environment.load(&with_file(&file)).unwrap_err().0.remove(0);
        assert_eq!((problem.line, problem.column), (Some(2), Some(1)), "{problem}");
    }

    #[test]
    fn problems_of_flags_variables_and_file_are_reported_together() {
        let mut environment = Environment::new();
        environment.variables.push(("REGPASS_ALLOW", "write".into()));
        let file = environment.write("bad.toml", b"default_registri = 'ghcr.io'");
        let overrides = Overrides { listen: vec!["5050".to_owned()], ..with_file(&file) };
        let problems = environment.load(&overrides).unwrap_err().0;
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["--listen", "REGPASS_ALLOW", "default_registri"]);
    }
}
