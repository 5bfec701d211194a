//! `regpass setup`: prints a client's configuration, merges it into the client's files, or removes it again.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::Setup;
use super::client_file::{self, ClientFile};
use super::{client_version, report};
use crate::config::model::Config;
use crate::config::problem::Problem;
use crate::observe::log::LogFormat;
use crate::setup::mirrors::MirrorSet;
use crate::setup::version::ClientVersion;
use crate::setup::{Client, ConfigPath, MirrorFile, SetupError};

/// The change of one client file: its content before and after.
struct Change {
    path: PathBuf,
    /// `None` if the file does not exist.
    old: Option<ClientFile>,
    /// Empty to remove the file.
    new: ClientFile,
}

pub(super) fn run(
    setup: &Setup,
    config: &Config,
    log: LogFormat,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> ExitCode {
    let mut mirrors = match MirrorSet::from_config(config, &setup.registries) {
        Ok(mirrors) => mirrors,
        Err(refusal) => {
            let _ = report::problem(err, log, &problem(refusal, None));
            return ExitCode::from(report::EXIT_INVALID);
        }
    };
    mirrors.client_version = client_version(setup);
    let outcome =
        if setup.write || setup.undo { change(setup, &mut mirrors, out) } else { print(setup, &mirrors, out) };
    match outcome {
        Ok(()) => {
            let is_preview = !(setup.write || setup.undo || setup.client == Client::Kubernetes);
            let preview = format!("nothing is written yet: --write merges this into {}", client_path(setup).display());
            let restart = setup.client.activation_note().to_owned();
            let advice = if setup.undo { Vec::new() } else { setup.client.notes(&mirrors) };
            let notes = is_preview.then_some(preview).into_iter().chain([restart]).chain(advice);
            // A closed stderr does not undo the result.
            let _ = notes.into_iter().try_for_each(|note| report::note(err, log, &note));
            ExitCode::SUCCESS
        }
        Err(problem) => {
            let _ = report::problem(err, log, &problem);
            ExitCode::FAILURE
        }
    }
}

/// Prints the files as they would be if they did not exist yet.
fn print(setup: &Setup, mirrors: &MirrorSet, out: &mut dyn Write) -> Result<(), Problem> {
    let base = client_path(setup);
    let mut page = String::new();
    for file in setup.client.files(&base, mirrors) {
        let text = setup.client.merge(&file, "").map_err(|refusal| problem(refusal, None))?;
        if !text.is_empty() {
            let gap = if page.is_empty() { "" } else { "\n" };
            page = [&page, gap, &file.heading().unwrap_or_default(), &text].concat();
        }
    }
    if let Some(appendix) = setup.client.extra_output() {
        page = [&page, "\n", appendix].concat();
    }
    out.write_all(page.as_bytes()).map_err(|error| io_problem("cannot write to stdout", Path::new("-"), &error))
}

/// Changes the client's files, or none of them if one cannot be read or parsed.
fn change(setup: &Setup, mirrors: &mut MirrorSet, out: &mut dyn Write) -> Result<(), Problem> {
    if setup.client == Client::Kubernetes {
        return Err(Problem {
            what: "a Kubernetes cluster has no configuration file on this machine".to_owned(),
            hint: "run on each node: regpass setup containerd --write".to_owned(),
            ..Problem::default()
        });
    }
    for path in if setup.write { files_read_together(&client_path(setup)) } else { Vec::new() } {
        let text = read(&path)?.unwrap_or_default().text;
        mirrors
            .configured_elsewhere
            .extend(setup.client.configured_registries(&text).map_err(|refusal| problem(refusal, Some(&path)))?);
    }
    let changes = changes(setup, mirrors)?;
    for Change { path, old, new } in &changes {
        let action = if old.as_ref() == Some(new) {
            "unchanged"
        } else if new.text.is_empty() {
            remove(path, path.ends_with("hosts.toml"))
                .map_err(|error| io_problem("cannot remove the file", path, &error))?;
            "removed"
        } else {
            client_file::write(path, new).map_err(|error| io_problem("cannot write the file", path, &error))?;
            "wrote"
        };
        // A closed stdout does not stop the remaining changes.
        let _ = writeln!(out, "{action} {}", path.display());
    }
    Ok(())
}

fn changes(setup: &Setup, mirrors: &mut MirrorSet) -> Result<Vec<Change>, Problem> {
    let base = client_path(setup);
    let mut changes = Vec::new();
    for file in setup.client.files(&base, mirrors) {
        let old = read(&file.path)?;
        if old.is_none() && file.is_hosts_file && has_certificates(&file.path) {
            mirrors.left_out.push(format!(
                "{}: with a hosts.toml, the client no longer reads the certificates beside it; write one that names them \
                 (`ca`, `client`), then run this again",
                file.path.display()
            ));
            continue;
        }
        let content = old.clone().unwrap_or_default();
        let text = &content.text;
        let new = if setup.undo { setup.client.undo(&file, text) } else { setup.client.merge(&file, text) };
        let new = content.with_text(new.map_err(|refusal| problem(refusal, Some(&file.path)))?);
        // A file that neither exists nor gets a text stays absent.
        if old.is_some() || !new.text.is_empty() {
            changes.push(Change { path: file.path, old, new });
        }
    }
    // Files that an earlier call wrote for registries that are not among those of this call.
    for path in hosts_files(setup.client, &base)? {
        if changes.iter().all(|change| change.path != path)
            && let Some(old) = read(&path)?.filter(|old| Client::is_marked(&old.text))
        {
            let file = MirrorFile { path, mirrors: mirrors.clone(), is_hosts_file: true };
            let new = setup.client.undo(&file, &old.text).map_err(|refusal| problem(refusal, Some(&file.path)))?;
            let new = old.with_text(new);
            changes.push(Change { path: file.path, old: Some(old), new });
        }
    }
    Ok(changes)
}

/// The version of the client that will read the files: the one named on the command line, else the installed one.
fn client_version(setup: &Setup) -> Option<ClientVersion> {
    // The programs below another root folder are those of another system.
    let installed = || setup.root.is_none().then(|| client_version::installed(setup.client)).flatten();
    setup.client_version.or_else(installed)
}

/// The path of the client's file or folder.
fn client_path(setup: &Setup) -> PathBuf {
    let default = match setup.client.config_path() {
        ConfigPath::File(path) | ConfigPath::RegistryFolders(path) => Path::new(path),
    };
    match (&setup.file, &setup.root) {
        (Some(file), _) => file.clone(),
        (None, Some(root)) => root.join(default.strip_prefix("/").unwrap_or(default)),
        (None, None) => default.to_owned(),
    }
}

/// Whether there are certificates for a registry in the folder of its `hosts.toml`.
fn has_certificates(hosts_file: &Path) -> bool {
    let entries = hosts_file.parent().and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten();
    let mut names = entries.filter_map(|entry| Some(entry.ok()?.path()));
    names.any(|path| path.extension().is_some_and(|end| end == "crt" || end == "cert"))
}

/// The existing `hosts.toml` files of a client that has a folder for each registry; empty for any other client.
fn hosts_files(client: Client, base: &Path) -> Result<Vec<PathBuf>, Problem> {
    let Some(folder) = client.hosts_folder(base) else { return Ok(Vec::new()) };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_problem("cannot read the folder", &folder, &error)),
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path().join("hosts.toml"))).collect();
    files.retain(|file| file.is_file());
    files.sort();
    Ok(files)
}

/// The other files that a client reads together with `path`: for `name.d/own.conf`, these are `name` and the other
/// `name.d/*.conf`.
fn files_read_together(path: &Path) -> Vec<PathBuf> {
    let Some(folder) = path.parent().filter(|folder| folder.extension().is_some_and(|end| end == "d")) else {
        return Vec::new();
    };
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let others = entries.filter(|other| other.extension() == path.extension() && other != path);
    let mut files: Vec<PathBuf> = [folder.with_extension("")].into_iter().chain(others).collect();
    files.sort();
    files
}

/// Removes a file that would be empty. With the `hosts.toml` of a registry, its folder goes too if nothing else is in it.
fn remove(path: &Path, is_hosts_file: bool) -> io::Result<()> {
    fs::remove_file(path)?;
    if is_hosts_file && let Some(folder) = path.parent() {
        // `remove_dir` fails, and keeps the folder, if it has other files.
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<ClientFile>, Problem> {
    client_file::read(path).map_err(|error| io_problem("cannot read the file", path, &error))
}

fn problem(refusal: SetupError, file: Option<&Path>) -> Problem {
    let SetupError { line, what, hint } = refusal;
    Problem { file: file.map(Into::into), line, column: line.map(|_| 1), what, hint, ..Problem::default() }
}

fn io_problem(what: &str, path: &Path, error: &io::Error) -> Problem {
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => "run regpass as the file's owner, for example with sudo",
        ErrorKind::InvalidData => "save it as UTF-8 (UTF-16: iconv -f UTF-16 -t UTF-8), or name another with --file",
        _ => "check the path, or name another with --file",
    };
    Problem {
        file: Some(path.to_owned()),
        what: format!("{what}: {error}"),
        hint: hint.to_owned(),
        ..Problem::default()
    }
}

#[cfg(test)]
mod tests;
