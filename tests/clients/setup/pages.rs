//! Completions and the manual page, read by the programs that read such.

use std::fs;

use crate::process::{output, plain};

#[tokio::test]
async fn bash_takes_the_completions() {
    let home = tempfile::tempdir().expect("a home");
    let script = home.path().join("regpass.bash");
    fs::write(&script, printed(&["completions", "bash"]).await).expect("the script");
    // The shell that has read it completes commands and their values.
    let ask =
        r#". "$0"; COMP_WORDS=(regpass setup con) COMP_CWORD=2; _regpass regpass con setup; echo "${COMPREPLY[@]}""#;
    let mut bash = plain("bash", home.path());
    let reply = output(bash.arg("-euc").arg(ask).arg(&script)).await;
    assert_eq!(String::from_utf8_lossy(&reply.stdout).trim(), "containerd");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(printed(&["completions", shell]).await.contains("undo"), "{shell}");
    }
}

#[tokio::test]
async fn the_manual_page_is_set_without_a_warning() {
    let home = tempfile::tempdir().expect("a home");
    let page = home.path().join("regpass.1");
    fs::write(&page, printed(&["man"]).await).expect("the page");
    let mut groff = plain("groff", home.path());
    let set = output(groff.args(["-man", "-Tutf8", "-ww", "-P-cbou"]).arg(&page)).await;
    assert_eq!(String::from_utf8_lossy(&set.stderr), "");
    let text = String::from_utf8(set.stdout).expect("text");
    for word in ["EXIT STATUS", "SIGHUP", "SIGTERM", "FILES", "VARIABLES", "REGPASS_LISTEN", "setup <CLIENT>", "--undo"]
    {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
}

async fn printed(words: &[&str]) -> String {
    let home = tempfile::tempdir().expect("a home");
    let mut command = plain(env!("CARGO_BIN_EXE_regpass"), home.path());
    String::from_utf8(output(command.args(words)).await.stdout).expect("text")
}
