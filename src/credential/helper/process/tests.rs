use std::fs;

use tempfile::{TempDir, tempdir};

use super::*;
use crate::credential::tests::{helper, password};

const AMPLE: Duration = Duration::from_secs(60);

async fn asking(folder: &TempDir, name: &str, deadline: Duration) -> Result<Credential, Failure> {
    ask(&[folder.path().to_owned()], name, "ghcr.io", deadline).await
}

#[tokio::test]
async fn the_server_goes_in_and_the_login_comes_out() {
    let folder = tempdir().unwrap();
    helper(folder.path(), "echo", r#"echo "{\"Username\":\"$1 $server\",\"Secret\":\"p\"}"; echo noise >&2"#);
    assert_eq!(asking(&folder, "echo", AMPLE).await.unwrap(), password("get ghcr.io", "p"));
}

#[tokio::test]
async fn failures_name_the_helper_and_never_what_it_said() {
    let folder = tempdir().unwrap();
    helper(folder.path(), "fails", "echo hunter2; echo hunter2 >&2; exit 7");
    helper(folder.path(), "chats", "echo hunter2");
    helper(folder.path(), "dies", "kill -9 $$");
    helper(folder.path(), "floods", "while :; do echo hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2; done");
    fs::write(folder.path().join("docker-credential-text"), "no program").unwrap();
    let hint = |name| format!("run `echo ghcr.io | docker-credential-{name} get` as the same user to see what it says");
    for (name, what) in [
        ("fails", format!("docker-credential-fails failed for ghcr.io with exit status: 7; {}", hint("fails"))),
        (
            "chats",
            format!("docker-credential-chats answered for ghcr.io with something that is no login; {}", hint("chats")),
        ),
        ("dies", format!("docker-credential-dies failed for ghcr.io with signal: 9 (SIGKILL); {}", hint("dies"))),
        ("floods", "docker-credential-floods answered for ghcr.io with more than 65536 bytes and was ended".into()),
        (
            "text",
            format!(
                "found no program docker-credential-text in PATH ({}); install it there or correct the name",
                folder.path().display()
            ),
        ),
        ("../x", r#""../x" cannot be the name of a credential helper"#.into()),
    ] {
        assert_eq!(asking(&folder, name, AMPLE).await.unwrap_err().error.what, what);
    }
}

#[tokio::test]
async fn one_that_hangs_is_ended() {
    let folder = tempdir().unwrap();
    helper(folder.path(), "hangs", "echo $$ > \"$here/pid.new\"; mv \"$here/pid.new\" \"$here/pid\"; exec sleep 600");
    // It is given the time to say who it is, and no more.
    let pid = folder.path().join("pid");
    let asking = async {
        let mut deadline = Duration::from_millis(100);
        loop {
            let failure = asking(&folder, "hangs", deadline).await.unwrap_err();
            if pid.exists() {
                return failure;
            }
            deadline *= 2;
        }
    };
    let failure = asking.await;
    assert!(failure.error.what.starts_with("docker-credential-hangs gave no answer for ghcr.io within"), "{failure:?}");
    assert!(failure.pause.is_some());
    let process = format!("/proc/{}", fs::read_to_string(pid).unwrap().trim());
    assert!(!Path::new(&process).exists(), "{process} is gone");
}

#[tokio::test]
async fn what_it_leaves_running_is_not_waited_for() {
    let folder = tempdir().unwrap();
    helper(folder.path(), "agent", r#"sleep 20 & echo $! > "$here/pid"; echo '{"Username":"u","Secret":"p"}'"#);
    let before = Instant::now();
    assert_eq!(asking(&folder, "agent", AMPLE).await.unwrap(), password("u", "p"));
    assert!(before.elapsed() < Duration::from_secs(15));
    let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
    std::process::Command::new("kill").arg(pid.trim()).status().unwrap();
}

#[tokio::test]
async fn one_that_does_not_listen_may_still_answer() {
    let folder = tempdir().unwrap();
    helper(folder.path(), "deaf", "exec <&-; echo '{\"Username\":\"u\",\"Secret\":\"p\"}'");
    for _ in 0..5 {
        assert_eq!(asking(&folder, "deaf", AMPLE).await.unwrap(), password("u", "p"));
    }
}
