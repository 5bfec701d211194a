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
    for client in ["docker docker.io --client-version 27", "containerd ghcr.io", "podman ghcr.io", "buildkit", "k3s"] {
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
    assert!(code == ExitCode::from(report::EXIT_INVALID) && err.contains("neither well-known nor configured"), "{err}");
    let (code, _, err) = setup(&root, "docker ghcr.io --client-version 27.5");
    assert!(code == ExitCode::FAILURE && err.contains("docker.io only"), "{err}");
    let (code, _, err) = setup(&root, "kubernetes --write");
    assert!(code == ExitCode::FAILURE && err.contains("regpass setup containerd --write"), "{err}");
    for args in
        ["docker --write --undo", "docker ghcr.io --undo", "nothing", "docker --file x", "docker --client-version new"]
    {
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
