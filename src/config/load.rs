//! The one place that reads: finds the file and hands its text on.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::decode;
use super::lines::Lines;
use super::model::Config;
use super::overrides::Overrides;
use super::problem::{Fault, Place, Problem, Problems};
use super::variables::Variables;

/// The configuration in force under these flags and variables, or everything that is wrong with them and the file.
pub fn load(overrides: &Overrides, variables: Variables<'_>) -> Result<Config, Problems> {
    load_and(overrides, variables, |_| Ok(())).map(|(config, ())| config)
}

/// As [`load`], with what `further` makes of the configuration, or finds wrong with it: also where there are problems
/// already, so that all are told at once.
pub fn load_and<T>(
    overrides: &Overrides,
    variables: Variables<'_>,
    further: impl FnOnce(&Config) -> Result<T, Problems>,
) -> Result<(Config, T), Problems> {
    let (choices, mut problems) = overrides.choices(variables);
    let (file, text) = match find(overrides, variables) {
        Ok(Some((file, text))) => (Some(file), text),
        Ok(None) => (None, String::new()),
        Err(problem) => {
            problems.push(*problem);
            (None, String::new())
        }
    };
    let (config, found) = decode::decode(&text, file.as_deref(), &choices, variables);
    problems.extend(found);
    match config.map(|config| (further(&config), config)) {
        Some((Ok(made), config)) if problems.is_empty() => return Ok((config, made)),
        Some((Err(more), _)) => problems.extend(more.0),
        _ => {}
    }
    Err(Problems::new(problems))
}

/// Where a configuration file is looked for: what was asked for, or the usual places.
pub fn places(overrides: &Overrides, variables: Variables<'_>) -> Vec<PathBuf> {
    match asked(overrides, variables) {
        Some((_, file)) => vec![file],
        None => usual_places(variables).collect(),
    }
}

/// The file that was asked for, which has to be there, or the first of the usual ones that is.
fn find(overrides: &Overrides, variables: Variables<'_>) -> Result<Option<(PathBuf, String)>, Box<Problem>> {
    if let Some((setting, file)) = asked(overrides, variables) {
        let Some(text) = read(&file)? else {
            let fault = Fault::new(format!("there is no file {}", file.display())).hint("name a file that is there");
            return Err(Box::new(Place::setting(setting).problem(fault)));
        };
        return Ok(Some((file, text)));
    }
    for file in usual_places(variables) {
        if let Some(text) = read(&file)? {
            return Ok(Some((file, text)));
        }
    }
    Ok(None)
}

/// The file that was named, and by what.
fn asked(overrides: &Overrides, variables: Variables<'_>) -> Option<(&'static str, PathBuf)> {
    let by_variable = || variables.path("REGPASS_CONFIG").map(|file| ("REGPASS_CONFIG", file));
    overrides.config.clone().map(|file| ("--config", file)).or_else(by_variable)
}

fn usual_places(variables: Variables<'_>) -> impl Iterator<Item = PathBuf> {
    // The XDG base directory specification has relative paths ignored.
    let home = variables
        .path("XDG_CONFIG_HOME")
        .filter(|folder| folder.is_absolute())
        .or_else(|| variables.path("HOME").map(|home| home.join(".config")));
    home.map(|home| home.join("regpass/config.toml")).into_iter().chain([PathBuf::from("/etc/regpass/config.toml")])
}

/// `None` where there is no such file.
fn read(path: &Path) -> Result<Option<String>, Box<Problem>> {
    let problem = |fault: Fault, position| {
        Box::new(Place { file: Some(path.to_owned()), position, key: String::new() }.problem(fault))
    };
    let unreadable = |error: std::io::Error| match error.kind() {
        ErrorKind::IsADirectory => problem(Fault::new("it is a directory, not a file"), None),
        kind => problem(Fault::new(format!("it cannot be read: {kind}")), None),
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(problem(Fault::new("it is larger than 1 MiB, which no configuration is"), None));
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let good = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
        problem(Fault::new("it is not UTF-8 text from here on"), Some(Lines::new(&good).position(good.len())))
    })
}

const LARGEST: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    struct Machine {
        home: tempfile::TempDir,
        variables: Vec<(&'static str, OsString)>,
    }

    impl Machine {
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

    fn asked(path: &Path) -> Overrides {
        Overrides { config: Some(path.to_owned()), ..Overrides::default() }
    }

    fn default_registry(config: &Config) -> &str {
        config.default_registry.as_str()
    }

    #[test]
    fn the_first_file_of_the_search_is_taken() {
        let mut machine = Machine::new();
        assert_eq!(machine.load(&Overrides::default()).unwrap().file, None);

        machine.write("regpass/config.toml", b"default_registry = 'quay.io'");
        assert_eq!(default_registry(&machine.load(&Overrides::default()).unwrap()), "quay.io");

        let from_variable = machine.write("variable.toml", b"default_registry = 'gcr.io'");
        machine.variables.push(("REGPASS_CONFIG", from_variable.into()));
        assert_eq!(default_registry(&machine.load(&Overrides::default()).unwrap()), "gcr.io");

        let from_flag = machine.write("flag.toml", b"default_registry = 'ghcr.io'");
        let config = machine.load(&asked(&from_flag)).unwrap();
        assert_eq!((default_registry(&config), config.file.as_deref()), ("ghcr.io", Some(from_flag.as_path())));
    }

    #[test]
    fn home_stands_in_for_xdg_and_relative_xdg_is_ignored() {
        let mut machine = Machine::new();
        let file = machine.write(".config/regpass/config.toml", b"");
        machine.variables = vec![("XDG_CONFIG_HOME", "relative".into()), ("HOME", machine.home.path().into())];
        assert_eq!(machine.load(&Overrides::default()).unwrap().file, Some(file));
    }

    #[test]
    fn a_file_that_was_asked_for_has_to_be_there() {
        let mut machine = Machine::new();
        let missing = machine.home.path().join("missing.toml");
        let problems = machine.load(&asked(&missing)).unwrap_err().0;
        assert_eq!((problems[0].key.as_str(), problems.len()), ("--config", 1));
        machine.variables.push(("REGPASS_CONFIG", missing.into()));
        assert_eq!(machine.load(&Overrides::default()).unwrap_err().0[0].key, "REGPASS_CONFIG");
    }

    #[test]
    fn what_cannot_be_read_as_text_says_so() {
        let machine = Machine::new();
        let large = vec![b'#'; 1024 * 1024 + 1];
        for (bytes, what, line) in
            [(&b"a = 1\nb = '\xff'"[..], "not UTF-8", Some(2)), (large.as_slice(), "larger than 1 MiB", None)]
        {
            let file = machine.write("bad.toml", bytes);
            let problem = machine.load(&asked(&file)).unwrap_err().0.remove(0);
            assert!(problem.what.contains(what), "{problem}");
            assert_eq!((problem.file, problem.line), (Some(file), line));
        }
        let problem = machine.load(&asked(machine.home.path())).unwrap_err().0.remove(0);
        assert!(problem.what.contains("directory"), "{problem}");
    }

    #[test]
    fn flags_variables_and_the_file_are_judged_together() {
        let mut machine = Machine::new();
        machine.variables.push(("REGPASS_ALLOW", "write".into()));
        let file = machine.write("bad.toml", b"default_registri = 'ghcr.io'");
        let overrides = Overrides { listen: vec!["5050".to_owned()], ..asked(&file) };
        let problems = machine.load(&overrides).unwrap_err().0;
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["--listen", "REGPASS_ALLOW", "default_registri"]);
    }
}
