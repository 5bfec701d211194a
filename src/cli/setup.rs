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
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;
    use crate::cli::{Next, run};
    use crate::config::Variables;

    /// Runs `regpass setup` on the system below `root`: its exit code, stdout and stderr.
    fn setup(root: &TempDir, args: &str) -> (ExitCode, String, String) {
        let line = format!("regpass setup {args} --root {}", root.path().display());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let next = run(line.split(' ').map(Into::into), Variables::new(&|_| None), &mut out, &mut err);
        let Next::Exit(code) = next else { panic!("{line} serves") };
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    fn empty_root() -> TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn undo_removes_every_file_that_write_created() {
        for client in ["docker", "containerd", "podman", "buildah", "skopeo", "buildkit", "k3s", "rke2"] {
            let root = empty_root();
            let (code, out, _) = setup(&root, &format!("{client} --write"));
            assert!(code == ExitCode::SUCCESS && out.lines().all(|line| line.starts_with("wrote ")), "{client}: {out}");
            assert!(client != "docker" || out.contains("/etc/docker/certs.d/ghcr.io/hosts.toml\n"), "{out}");
            let (code, out, _) = setup(&root, &format!("{client} --write"));
            assert!(code == ExitCode::SUCCESS && out.lines().all(|line| line.starts_with("unchanged ")), "{out}");
            let (code, out, _) = setup(&root, &format!("{client} --undo"));
            assert!(code == ExitCode::SUCCESS && out.lines().all(|line| line.starts_with("removed ")), "{out}");
            assert!(!out.is_empty());
            let (code, out, _) = setup(&root, &format!("{client} --undo"));
            assert_eq!((code, out.as_str()), (ExitCode::SUCCESS, ""), "nothing is left to remove");
        }
    }

    #[test]
    fn preview_is_what_write_would_write() {
        for client in
            ["docker docker.io --client-version 27", "containerd ghcr.io", "podman ghcr.io", "buildkit", "k3s"]
        {
            let root = empty_root();
            let (code, printed, notes) = setup(&root, client);
            assert!(code == ExitCode::SUCCESS && notes.starts_with("nothing is written yet: --write "), "{notes}");
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "{client}");
            let (_, out, _) = setup(&root, &format!("{client} --write"));
            let file = out.trim_end().strip_prefix("wrote ").unwrap();
            let title = if client.starts_with("docker") { String::new() } else { format!("# {file}\n") };
            assert_eq!(printed, title + &fs::read_to_string(file).unwrap());
        }
    }

    #[test]
    fn one_unparsable_file_prevents_every_change() {
        let root = empty_root();
        let folder = root.path().join("etc/containerd/certs.d");
        let broken = folder.join("ghcr.io/hosts.toml");
        fs::create_dir_all(broken.parent().unwrap()).unwrap();
        fs::write(&broken, "a = 1\n[host").unwrap();
        let (code, out, err) = setup(&root, "containerd docker.io ghcr.io --write");
        assert_eq!((code, out.as_str()), (ExitCode::FAILURE, ""));
        assert!(err.starts_with(&format!("regpass: {}:2:1: invalid TOML", broken.display())), "{err}");
        assert!(err.contains("\n  fix the file first"), "{err}");
        assert_eq!(fs::read_to_string(&broken).unwrap(), "a = 1\n[host");
        assert!(!folder.join("docker.io").exists());
    }

    #[test]
    fn symlink_is_kept_and_its_target_changed() {
        let root = empty_root();
        let folder = root.path().join("etc/docker");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("real.json"), "{\"debug\": true}").unwrap();
        symlink("real.json", folder.join("daemon.json")).unwrap();
        setup(&root, "docker --write");
        assert!(folder.join("daemon.json").is_symlink());
        assert!(fs::read_to_string(folder.join("real.json")).unwrap().contains("registry-mirrors"));
    }

    #[test]
    fn files_of_windows_editors_keep_their_form() {
        for (client, file, text) in [
            ("docker", "etc/docker/daemon.json", "{\r\n  \"debug\": true\r\n}\r\n"),
            ("containerd ghcr.io", "etc/containerd/certs.d/ghcr.io/hosts.toml", "server = 'https://ghcr.io'\r\n"),
            ("podman ghcr.io", "etc/containers/registries.conf.d/regpass.conf", "short-name-mode = 'enforcing'\r\n"),
            ("buildkit ghcr.io", "etc/buildkit/buildkitd.toml", "debug = true\r\n"),
            ("k3s ghcr.io", "etc/rancher/k3s/registries.yaml", "configs:\r\n  a.example:\r\n    tls: {}\r\n"),
        ] {
            let root = empty_root();
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let before = format!("\u{feff}{text}");
            fs::write(&path, &before).unwrap();
            let (code, out, err) = setup(&root, &format!("{client} --write"));
            assert_eq!(code, ExitCode::SUCCESS, "{client}: {err}");
            assert!(out.contains(&format!("wrote {}", path.display())), "{client}: {out}");
            let after = fs::read_to_string(&path).unwrap();
            assert!(after.starts_with('\u{feff}') && after.len() > before.len(), "{client}: {after:?}");
            assert_eq!(after.matches('\n').count(), after.matches("\r\n").count(), "{client}: {after:?}");
            let name = client.split(' ').next().unwrap();
            assert_eq!(setup(&root, &format!("{name} --undo")).0, ExitCode::SUCCESS, "{client}");
            assert_eq!(fs::read_to_string(&path).unwrap(), before, "{client}");

            let utf16: Vec<u8> = before.encode_utf16().flat_map(u16::to_le_bytes).collect();
            fs::write(&path, &utf16).unwrap();
            let (code, _, err) = setup(&root, &format!("{client} --write"));
            assert_eq!(code, ExitCode::FAILURE, "{client}");
            assert!(err.contains("UTF-16") && err.contains("iconv") && err.contains(file), "{client}: {err}");
            assert_eq!(fs::read(&path).unwrap(), utf16, "{client}: the file is unchanged");
        }
    }

    #[test]
    fn registry_with_an_entry_in_the_main_file_gets_none_in_the_drop_in_folder() {
        let root = empty_root();
        fs::create_dir_all(root.path().join("etc/containers")).unwrap();
        let main = root.path().join("etc/containers/registries.conf");
        fs::write(&main, "[[registry]]\nprefix = 'ghcr.io'\nblocked = true\n").unwrap();
        let (code, out, err) = setup(&root, "podman ghcr.io quay.io --write");
        let own = fs::read_to_string(out.trim_end().strip_prefix("wrote ").unwrap()).unwrap();
        assert!(code == ExitCode::SUCCESS && own.contains("quay.io") && !own.contains("ghcr.io"), "{own}");
        assert!(err.contains("left out: ghcr.io: another file"), "{err}");
    }

    #[test]
    fn invalid_arguments_exit_with_2_and_failures_with_1() {
        let root = empty_root();
        let (code, _, err) = setup(&root, "docker registry.example");
        assert!(
            code == ExitCode::from(report::EXIT_INVALID) && err.contains("neither well-known nor configured"),
            "{err}"
        );
        let (code, _, err) = setup(&root, "docker ghcr.io --client-version 27.5");
        assert!(code == ExitCode::FAILURE && err.contains("docker.io only"), "{err}");
        let (code, _, err) = setup(&root, "kubernetes --write");
        assert!(code == ExitCode::FAILURE && err.contains("regpass setup containerd --write"), "{err}");
        for args in [
            "docker --write --undo",
            "docker ghcr.io --undo",
            "nothing",
            "docker --file x",
            "docker --client-version new",
        ] {
            assert_eq!(setup(&root, args).0, ExitCode::from(report::EXIT_INVALID), "{args}");
        }
    }

    #[test]
    fn older_docker_loses_the_hosts_files_of_a_newer_one() {
        let root = empty_root();
        let hosts = root.path().join("etc/docker/certs.d/ghcr.io/hosts.toml");
        let (_, _, err) = setup(&root, "docker --write");
        assert!(hosts.is_file() && err.contains("version of docker is unknown"), "{err}");
        let (_, _, err) = setup(&root, "docker --write --client-version 29.1");
        assert!(fs::read_to_string(&hosts).unwrap().contains("\"referrers\""), "{err}");
        assert!(!err.contains("unknown") && err.contains("with its classic image store"), "{err}");
        let (_, out, _) = setup(&root, "docker --write --client-version 27.5");
        assert!(!hosts.exists() && out.contains("removed "), "{out}");
        assert!(root.path().join("etc/docker/daemon.json").is_file());
    }

    #[test]
    fn registry_with_certificates_of_its_own_gets_no_hosts_file() {
        let root = empty_root();
        let folder = root.path().join("etc/docker/certs.d/ghcr.io");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("ca.crt"), "").unwrap();
        let (code, out, err) = setup(&root, "docker ghcr.io quay.io --write");
        assert!(code == ExitCode::SUCCESS && !out.contains("ghcr.io") && out.contains("quay.io"), "{out}");
        assert!(err.contains("ghcr.io/hosts.toml: with a hosts.toml, the client no longer reads"), "{err}");
        fs::write(folder.join("hosts.toml"), "ca = \"ca.crt\"\n").unwrap();
        let (_, out, _) = setup(&root, "docker ghcr.io quay.io --write");
        assert!(out.contains("wrote ") && out.contains("ghcr.io"), "{out}");
    }

    #[test]
    fn kubernetes_output_has_the_files_and_the_containerd_setting_that_reads_them() {
        let (code, out, err) = setup(&empty_root(), "kubernetes ghcr.io");
        assert!(code == ExitCode::SUCCESS && out.contains("certs.d/ghcr.io/hosts.toml\n"), "{out}");
        assert_eq!(out.matches("config_path = \"/etc/containerd/certs.d\"").count(), 2, "{out}");
        assert!(err.contains("each node"), "{err}");
    }

    #[test]
    fn notes_are_json_with_the_json_log_format() {
        let (_, _, err) = setup(&empty_root(), "docker --log json");
        for line in err.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(line["level"] == "INFO" && line["message"].is_string(), "{line}");
        }
    }
}
