//! `regpass health` beside a regpass that runs, and one that does not.

use super::{fails, regpass};
use crate::process::stdout;
use crate::registry::Registry;
use crate::scene::{Login, Scene};

#[tokio::test]
async fn says_what_the_listener_says() {
    let scene = Scene::set(Registry::start_htpasswd().await, Login::Password).await;
    let url = scene.regpass.url("/v2/").replace("localhost", "127.0.0.1");
    assert_eq!(stdout(regpass(&scene).arg("health")).await, format!("serving: {url} answers 200\n"));

    let mut gone = regpass(&scene);
    let (code, told) = fails(gone.args(["health", "--admin", "127.0.0.1:1"])).await;
    assert!(code == Some(1) && told.lines().count() == 1, "{told}");
    assert!(told.starts_with("regpass: http://127.0.0.1:1/readyz: "), "{told}");

    let mut wrong = regpass(&scene);
    let (code, told) = fails(wrong.args(["health", "--allow", "everything"])).await;
    assert!(code == Some(1) && told.contains("--allow"), "health knows two exit codes: {told}");
    scene.close();
}
