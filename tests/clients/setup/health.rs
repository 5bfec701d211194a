//! `regpass health` with a running regpass and without one.

use super::{code_and_stderr, regpass};
use crate::process::stdout;
use crate::registry::Registry;
use crate::stack::Stack;

#[tokio::test]
async fn health_reports_the_listener_or_exits_with_one() {
    let stack = Stack::start(Registry::start_htpasswd().await).await;
    let url = stack.regpass.url("/v2/").replace("localhost", "127.0.0.1");
    assert_eq!(stdout(regpass(&stack).arg("health")).await, format!("serving: {url} answers 200\n"));

    let mut unreachable = regpass(&stack);
    let (code, stderr) = code_and_stderr(unreachable.args(["health", "--admin", "127.0.0.1:1"])).await;
    assert!(code == Some(1) && stderr.lines().count() == 1, "{stderr}");
    assert!(stderr.starts_with("regpass: http://127.0.0.1:1/readyz: "), "{stderr}");

    let mut invalid = regpass(&stack);
    let (code, stderr) = code_and_stderr(invalid.args(["health", "--allow", "everything"])).await;
    assert!(code == Some(1) && stderr.contains("--allow"), "health exits with 0 or 1 only: {stderr}");
    stack.finish();
}
