//! Short of file descriptors: it says so, once a minute and not with every try, and goes on when there are some again.

use tokio::net::TcpStream;
use tokio::process::Command;

use super::house::{House, Running};
use crate::process::Daemon;

const FEW: &str = r#"ulimit -n 48; exec "$0" "$@""#;

#[tokio::test]
async fn a_listener_that_cannot_accept_says_so_and_recovers() {
    let house = House::build().await;
    house.write(&house.config("one", ""));
    let (regpass, mut command) = (house.command(), Command::new("sh"));
    let regpass = regpass.as_std();
    command.args(["-c", FEW]).arg(regpass.get_program()).args(regpass.get_args());
    command.env_clear().envs(regpass.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let running = Running::of(Daemon::start("regpass", command)).await;
    let mut held = Vec::new();
    for _ in 0..64 {
        held.push(TcpStream::connect(running.address).await.expect("the backlog takes it"));
    }
    running.says(0, "cannot accept connections").await;
    drop(held);
    running.soon("it answers again", async || running.status("/v2/").await == "200").await;
    assert_eq!(running.daemon.count(&["cannot accept connections", "\"WARN\""]), 1);
}
