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
    let mut view = match View::of(config, &setup.registries) {
        Ok(view) => view,
        Err(refusal) => {
            let _ = report::problem(err, log, &problem(refusal, None));
            return ExitCode::from(MISTAKE);
        }
    };
    let done = if setup.write || setup.undo { change(setup, &mut view, out) } else { print(setup, &view, out) };
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
fn change(setup: &Setup, view: &mut View, out: &mut dyn Write) -> Result<(), Problem> {
    if setup.client == Client::Kubernetes {
        return Err(Problem {
            what: "a cluster has no file on this machine".to_owned(),
            hint: "on each node: regpass setup containerd --write".to_owned(),
            ..Problem::default()
        });
    }
    for path in if setup.write { neighbours(&place(setup)) } else { Vec::new() } {
        let text = read(&path)?.unwrap_or_default();
        view.taken.extend(setup.client.taken(&text).map_err(|refusal| problem(refusal, Some(&path)))?);
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

/// The files that a client reads together with its own: `name.d/own.conf` has `name` beside its folder, and others in
/// it.
fn neighbours(place: &Path) -> Vec<PathBuf> {
    let Some(folder) = place.parent().filter(|folder| folder.extension().is_some_and(|end| end == "d")) else {
        return Vec::new();
    };
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let others = entries.filter(|path| path.extension() == place.extension() && path != place);
    let mut files: Vec<PathBuf> = [folder.with_extension("")].into_iter().chain(others).collect();
    files.sort();
    files
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;
    use crate::cli::{Next, run};
    use crate::config::Variables;

    /// A system of its own, and what one command does there: its exit code, stdout and stderr.
    fn told(root: &TempDir, words: &str) -> (ExitCode, String, String) {
        let line = format!("regpass setup {words} --root {}", root.path().display());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let next = run(line.split(' ').map(Into::into), Variables::new(&|_| None), &mut out, &mut err);
        let Next::Exit(code) = next else { panic!("{line} serves") };
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    fn system() -> TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn every_client_is_set_up_from_nothing_and_back_to_nothing() {
        for client in ["docker", "containerd", "podman", "buildah", "skopeo", "buildkit", "k3s", "rke2"] {
            let root = system();
            let (code, out, _) = told(&root, &format!("{client} --write"));
            assert!(code == ExitCode::SUCCESS && out.lines().all(|line| line.starts_with("wrote ")), "{client}: {out}");
            let (code, out, _) = told(&root, &format!("{client} --write"));
            assert!(code == ExitCode::SUCCESS && out.lines().all(|line| line.starts_with("unchanged ")), "{out}");
            let (code, out, _) = told(&root, &format!("{client} --undo"));
            assert!(code == ExitCode::SUCCESS && out.lines().all(|line| line.starts_with("removed ")), "{out}");
            assert!(!out.is_empty());
            let (code, out, _) = told(&root, &format!("{client} --undo"));
            assert_eq!((code, out.as_str()), (ExitCode::SUCCESS, ""), "nothing is left to take back");
        }
    }

    #[test]
    fn what_is_printed_is_what_would_be_written() {
        for client in ["docker docker.io", "containerd ghcr.io", "podman ghcr.io", "buildkit", "k3s"] {
            let root = system();
            let (code, printed, notes) = told(&root, client);
            assert!(code == ExitCode::SUCCESS && notes.starts_with("nothing is written yet: --write "), "{notes}");
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "{client}");
            let (_, out, _) = told(&root, &format!("{client} --write"));
            let file = out.trim_end().strip_prefix("wrote ").unwrap();
            let title = if client.starts_with("docker") { String::new() } else { format!("# {file}\n") };
            assert_eq!(printed, title + &fs::read_to_string(file).unwrap());
        }
    }

    #[test]
    fn one_file_that_is_not_understood_stops_all() {
        let root = system();
        let folder = root.path().join("etc/containerd/certs.d");
        let broken = folder.join("ghcr.io/hosts.toml");
        fs::create_dir_all(broken.parent().unwrap()).unwrap();
        fs::write(&broken, "a = 1\n[host").unwrap();
        let (code, out, err) = told(&root, "containerd docker.io ghcr.io --write");
        assert_eq!((code, out.as_str()), (ExitCode::FAILURE, ""));
        assert!(err.starts_with(&format!("regpass: {}:2:1: this is no TOML", broken.display())), "{err}");
        assert!(err.contains("\n  mend the file first"), "{err}");
        assert_eq!(fs::read_to_string(&broken).unwrap(), "a = 1\n[host");
        assert!(!folder.join("docker.io").exists());
    }

    #[test]
    fn a_link_stays_a_link() {
        let root = system();
        let folder = root.path().join("etc/docker");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("real.json"), "{\"debug\": true}").unwrap();
        symlink("real.json", folder.join("daemon.json")).unwrap();
        told(&root, "docker --write");
        assert!(folder.join("daemon.json").is_symlink());
        assert!(fs::read_to_string(folder.join("real.json")).unwrap().contains("registry-mirrors"));
    }

    #[test]
    fn an_entry_in_the_main_file_is_not_replaced_by_one_in_the_folder_beside_it() {
        let root = system();
        fs::create_dir_all(root.path().join("etc/containers")).unwrap();
        let main = root.path().join("etc/containers/registries.conf");
        fs::write(&main, "[[registry]]\nprefix = 'ghcr.io'\nblocked = true\n").unwrap();
        let (code, out, err) = told(&root, "podman ghcr.io quay.io --write");
        let own = fs::read_to_string(out.trim_end().strip_prefix("wrote ").unwrap()).unwrap();
        assert!(code == ExitCode::SUCCESS && own.contains("quay.io") && !own.contains("ghcr.io"), "{own}");
        assert!(err.contains("left out: ghcr.io: another file"), "{err}");
    }

    #[test]
    fn mistakes_are_told_apart_from_failures() {
        let root = system();
        let (code, _, err) = told(&root, "docker registry.example");
        assert!(code == ExitCode::from(MISTAKE) && err.contains("neither well-known nor configured"), "{err}");
        let (code, _, err) = told(&root, "docker ghcr.io");
        assert!(code == ExitCode::FAILURE && err.contains("docker.io only"), "{err}");
        let (code, _, err) = told(&root, "kubernetes --write");
        assert!(code == ExitCode::FAILURE && err.contains("regpass setup containerd --write"), "{err}");
        for words in ["docker --write --undo", "docker ghcr.io --undo", "nothing", "docker --file x"] {
            assert_eq!(told(&root, words).0, ExitCode::from(MISTAKE), "{words}");
        }
    }

    #[test]
    fn kubernetes_gets_the_files_and_what_makes_them_read() {
        let (code, out, err) = told(&system(), "kubernetes ghcr.io");
        assert!(code == ExitCode::SUCCESS && out.contains("certs.d/ghcr.io/hosts.toml\n"), "{out}");
        assert_eq!(out.matches("config_path = \"/etc/containerd/certs.d\"").count(), 2, "{out}");
        assert!(err.contains("each node"), "{err}");
    }

    #[test]
    fn notes_are_json_with_json_logs() {
        let (_, _, err) = told(&system(), "docker --log json");
        for line in err.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(line["level"] == "INFO" && line["message"].is_string(), "{line}");
        }
    }
}
