//! `regpass setup`: prints what a client needs, or changes its files.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::Setup;
use super::run::MISTAKE;
use super::{replace, report};
use crate::config::model::Config;
use crate::config::problem::Problem;
use crate::observe::log::LogFormat;
use crate::setup::view::View;
use crate::setup::{Client, Place, Refusal};

/// A file before and after.
struct Change {
    path: PathBuf,
    old: Option<String>,
    new: String,
}

pub(super) fn run(
    setup: &Setup,
    config: &Config,
    log: LogFormat,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> ExitCode {
    let view = match View::of(config, &setup.registries) {
        Ok(view) => view,
        Err(refusal) => {
            let _ = report::problem(err, log, &problem(refusal, None));
            return ExitCode::from(MISTAKE);
        }
    };
    let done = if setup.write || setup.undo { change(setup, &view, out) } else { print(setup, &view, out) };
    match done {
        Ok(()) => {
            let printed = !(setup.write || setup.undo || setup.client == Client::Kubernetes);
            let unwritten = format!("nothing is written yet: --write merges this into {}", place(setup).display());
            let restart = setup.client.restart().to_owned();
            let advice = if setup.undo { Vec::new() } else { setup.client.advice(&view) };
            let notes = printed.then_some(unwritten).into_iter().chain([restart]).chain(advice);
            // The result is told; who closed stderr wants no notes.
            let _ = notes.into_iter().try_for_each(|note| report::note(err, log, &note));
            ExitCode::SUCCESS
        }
        Err(problem) => {
            let _ = report::problem(err, log, &problem);
            ExitCode::FAILURE
        }
    }
}

/// Prints what an empty file would become.
fn print(setup: &Setup, view: &View, out: &mut dyn Write) -> Result<(), Problem> {
    let place = place(setup);
    let mut page = String::new();
    for (below, share) in setup.client.files(view) {
        let path = join(&place, &below);
        let text = setup.client.merge(&share, "").map_err(|refusal| problem(refusal, None))?;
        let gap = if page.is_empty() { "" } else { "\n" };
        let title = setup.client.title(&path.display().to_string()).unwrap_or_default();
        page = [&page, gap, &title, &text].concat();
    }
    if let Some(appendix) = setup.client.appendix() {
        page = [&page, "\n", appendix].concat();
    }
    out.write_all(page.as_bytes()).map_err(|error| trouble("stdout cannot be written", Path::new("-"), &error))
}

/// Changes all files or, where one of them cannot be understood, none.
fn change(setup: &Setup, view: &View, out: &mut dyn Write) -> Result<(), Problem> {
    if setup.client == Client::Kubernetes {
        return Err(Problem {
            what: "a cluster has no file on this machine".to_owned(),
            hint: "on each node: regpass setup containerd --write".to_owned(),
            ..Problem::default()
        });
    }
    let changes = changes(setup, view)?;
    for Change { path, old, new } in &changes {
        let done = if old.as_ref() == Some(new) || (old.is_none() && new.is_empty()) {
            "unchanged"
        } else if new.is_empty() {
            remove(setup.client, path).map_err(|error| trouble("it cannot be removed", path, &error))?;
            "removed"
        } else {
            replace::write(path, new).map_err(|error| trouble("it cannot be written", path, &error))?;
            "wrote"
        };
        // What is done is done, whoever reads of it.
        let _ = writeln!(out, "{done} {}", path.display());
    }
    Ok(())
}

fn changes(setup: &Setup, view: &View) -> Result<Vec<Change>, Problem> {
    let place = place(setup);
    let files = setup.client.files(view);
    let mut changes = Vec::new();
    for (below, share) in &files {
        let path = join(&place, below);
        let old = read(&path)?;
        let text = old.as_deref().unwrap_or_default();
        let new = if setup.undo { setup.client.undo(share, text) } else { setup.client.merge(share, text) };
        let new = new.map_err(|refusal| problem(refusal, Some(&path)))?;
        // A file without a word is nobody's mistake.
        if !(setup.undo && old.is_none()) {
            changes.push(Change { path, old, new });
        }
    }
    // What an earlier call wrote for registries that are not among these.
    for path in siblings(setup.client, &place)? {
        if changes.iter().all(|change| change.path != path)
            && let Some(old) = read(&path)?.filter(|text| Client::is_marked(text))
        {
            let new = setup.client.undo(view, &old).map_err(|refusal| problem(refusal, Some(&path)))?;
            changes.push(Change { path, old: Some(old), new });
        }
    }
    Ok(changes)
}

/// The client's file or folder.
fn place(setup: &Setup) -> PathBuf {
    let usual = match setup.client.place() {
        Place::File(path) | Place::Folder(path, _) => Path::new(path),
    };
    match (&setup.file, &setup.root) {
        (Some(file), _) => file.clone(),
        (None, Some(root)) => root.join(usual.strip_prefix("/").unwrap_or(usual)),
        (None, None) => usual.to_owned(),
    }
}

/// Joining with nothing would add a slash.
fn join(place: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { place.to_owned() } else { place.join(below) }
}

/// The files of a folder that has one for each registry.
fn siblings(client: Client, place: &Path) -> Result<Vec<PathBuf>, Problem> {
    let Place::Folder(_, file) = client.place() else { return Ok(Vec::new()) };
    let entries = match fs::read_dir(place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(trouble("it cannot be read", place, &error)),
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path().join(file))).collect();
    files.retain(|file| file.is_file());
    files.sort();
    Ok(files)
}

/// Removes a file that nothing is left of, with the folder that was made for it.
fn remove(client: Client, path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    if let (Place::Folder(..), Some(folder)) = (client.place(), path.parent()) {
        // It stays where somebody has something else in it.
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<String>, Problem> {
    replace::read(path).map_err(|error| trouble("it cannot be read", path, &error))
}

fn problem(refusal: Refusal, file: Option<&Path>) -> Problem {
    let Refusal { line, what, hint } = refusal;
    Problem { file: file.map(Into::into), line, column: line.map(|_| 1), what, hint, ..Problem::default() }
}

fn trouble(what: &str, path: &Path, error: &io::Error) -> Problem {
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => "run it as the file's owner, as with sudo",
        ErrorKind::InvalidData => "the file is no UTF-8 text; name another with --file",
        _ => "look after the file, or name another with --file",
    };
    Problem {
        file: Some(path.to_owned()),
        what: format!("{what}: {error}"),
        hint: hint.to_owned(),
        ..Problem::default()
    }
}
