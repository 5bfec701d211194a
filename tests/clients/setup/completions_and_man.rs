//! bash reads the completions and groff the manual page.

use std::fs;

use crate::process::{output, program, stdout};

#[tokio::test]
async fn bash_completes_a_client_of_setup() {
    let home = tempfile::tempdir().expect("a home");
    let script = home.path().join("regpass.bash");
    fs::write(&script, printed(&["completions", "bash"]).await).expect("the script is written");
    // Completes the value after `regpass setup con`.
    let complete =
        r#". "$0"; COMP_WORDS=(regpass setup con) COMP_CWORD=2; _regpass regpass con setup; echo "${COMPREPLY[@]}""#;
    let mut bash = program("bash", home.path());
    let completed = output(bash.arg("-euc").arg(complete).arg(&script)).await;
    assert_eq!(String::from_utf8_lossy(&completed.stdout).trim(), "containerd");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(printed(&["completions", shell]).await.contains("undo"), "{shell}");
    }
}

#[tokio::test]
async fn groff_formats_the_manual_page_without_a_warning() {
    let home = tempfile::tempdir().expect("a home");
    let page = home.path().join("regpass.1");
    fs::write(&page, printed(&["man"]).await).expect("the page is written");
    let mut groff = program("groff", home.path());
    let formatted = output(groff.args(["-man", "-Tutf8", "-ww", "-P-cbou"]).arg(&page)).await;
    assert_eq!(String::from_utf8_lossy(&formatted.stderr), "");
    let text = String::from_utf8(formatted.stdout).expect("UTF-8");
    for word in ["EXIT STATUS", "SIGHUP", "SIGTERM", "FILES", "VARIABLES", "REGPASS_LISTEN", "setup <CLIENT>", "--undo"]
    {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
}

/// What a regpass command prints on stdout.
async fn printed(arguments: &[&str]) -> String {
    let home = tempfile::tempdir().expect("a home");
    let mut command = program(env!("CARGO_BIN_EXE_regpass"), home.path());
    stdout(command.args(arguments)).await
}
