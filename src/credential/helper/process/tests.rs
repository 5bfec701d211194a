use std::fs;

use tempfile::{TempDir, tempdir};

use super::*;
use crate::credential::tests::{helper, password};

const LONG_DEADLINE: Duration = Duration::from_secs(60);

/// Calls the helper for `ghcr.io`.
async fn call(folder: &TempDir, name: &str, deadline: Duration) -> Result<Credential, HelperFailure> {
    get(&[folder.path().to_owned()], name, "ghcr.io", deadline).await
}

#[tokio::test]
async fn the_helper_gets_the_server_on_stdin_and_its_output_is_parsed() {
    let folder = tempdir().unwrap();
    helper(folder.path(), "echo", r#"echo "{\"Username\":\"$1 $server\",\"Secret\":\"p\"}"; echo noise >&2"#);
    assert_eq!(call(&folder, "echo", LONG_DEADLINE).await.unwrap(), password("get ghcr.io", "p"));
}

#[tokio::test]
async fn failures_name_the_helper_and_never_contain_its_output() {
    let folder = tempdir().unwrap();
    helper(folder.path(), "fails", "echo hunter2; echo hunter2 >&2; exit 7");
    helper(folder.path(), "chats", "echo hunter2");
    helper(folder.path(), "dies", "kill -9 $$");
    helper(folder.path(), "floods", "while :; do echo hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2; done");
    fs::write(folder.path().join("docker-credential-text"), "no program").unwrap();
    let hint = |name| format!("run `echo ghcr.io | docker-credential-{name} get` as the same user to see its output");
    for (name, message) in [
        ("fails", format!("docker-credential-fails failed for ghcr.io with exit status: 7; {}", hint("fails"))),
        (
            "chats",
            format!("docker-credential-chats printed no valid credential for ghcr.io; {}", hint("chats")),
        ),
        ("dies", format!("docker-credential-dies failed for ghcr.io with signal: 9 (SIGKILL); {}", hint("dies"))),
        ("floods", "docker-credential-floods printed more than 65536 bytes for ghcr.io and was killed".into()),
        (
            "text",
            format!(
                "cannot find the program docker-credential-text in PATH ({}); install it there or correct the name",
                folder.path().display()
            ),
        ),
        ("../x", r#""../x" is not a valid name of a credential helper; use what follows docker-credential- in the program's name"#.into()),
    ] {
        assert_eq!(call(&folder, name, LONG_DEADLINE).await.unwrap_err().error.message, message);
    }
}

#[tokio::test]
async fn a_helper_that_hangs_is_killed() {
    let folder = tempdir().unwrap();
    helper(folder.path(), "hangs", "echo $$ > \"$here/pid.new\"; mv \"$here/pid.new\" \"$here/pid\"; exec sleep 600");
    // Long enough for the helper to write its process id, and no longer.
    let pid = folder.path().join("pid");
    let failure = async {
        let mut deadline = Duration::from_millis(100);
        loop {
            let failure = call(&folder, "hangs", deadline).await.unwrap_err();
            if pid.exists() {
                return failure;
            }
            deadline *= 2;
        }
    };
    let failure = failure.await;
    assert!(
        failure.error.message.starts_with("docker-credential-hangs did not finish for ghcr.io within"),
        "{failure:?}"
    );
    assert!(failure.negative_ttl.is_some());
    let process = format!("/proc/{}", fs::read_to_string(pid).unwrap().trim());
    assert!(!Path::new(&process).exists(), "{process} still exists");
}

#[tokio::test]
async fn processes_that_a_helper_leaves_running_are_not_waited_for() {
    let folder = tempdir().unwrap();
    helper(folder.path(), "agent", r#"sleep 20 & echo $! > "$here/pid"; echo '{"Username":"u","Secret":"p"}'"#);
    let before = Instant::now();
    assert_eq!(call(&folder, "agent", LONG_DEADLINE).await.unwrap(), password("u", "p"));
    assert!(before.elapsed() < Duration::from_secs(15));
    let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
    std::process::Command::new("kill").arg(pid.trim()).status().unwrap();
}

#[tokio::test]
async fn a_helper_that_closes_stdin_may_still_answer() {
    let folder = tempdir().unwrap();
    helper(folder.path(), "deaf", "exec <&-; echo '{\"Username\":\"u\",\"Secret\":\"p\"}'");
    for _ in 0..5 {
        assert_eq!(call(&folder, "deaf", LONG_DEADLINE).await.unwrap(), password("u", "p"));
    }
}
