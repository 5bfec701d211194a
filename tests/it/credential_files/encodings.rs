//! Files that Windows tools wrote.

use super::*;

/// The text in every encoding that regpass reads.
fn encoded(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let big_endian = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect();
    vec![
        ("CRLF", format!("{text}\r\n").into_bytes()),
        ("byte order mark", format!("\u{feff}{text}\r\n").into_bytes()),
        ("UTF-16", utf16(&format!("{text}\r\n"))),
        ("UTF-16, big endian", big_endian),
        ("Ctrl-Z", format!("{text}\r\n\u{1a}").into_bytes()),
        ("NUL", format!("{text}\0").into_bytes()),
    ]
}

#[tokio::test(start_paused = true)]
async fn docker_file_is_read_in_every_encoding() {
    let content = "{\r\n  \"auths\": {\"generic.test\": {\"username\": \"alice\", \"password\": \"wonderland\"}}\r\n}";
    for (what, bytes) in encoded(content) {
        let setup = Setup::new().await;
        let regpass = setup.regpass(&setup.docker_file("config.json", bytes));
        setup.assert_pull_as_alice(&regpass, what).await;
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn secret_file_is_read_in_every_encoding() {
    for (what, bytes) in encoded("wonderland") {
        let setup = Setup::new().await;
        let file = setup.write("password", bytes);
        let credential = "credential = { source = \"password\", username = \"alice\", password = { file = \"FILE\" } }";
        let regpass = setup.regpass(&credential.replace("FILE", file.to_str().unwrap()));
        setup.assert_pull_as_alice(&regpass, what).await;
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn file_that_is_no_text_is_an_error_that_says_where_and_quotes_nothing() {
    let without_mark: Vec<u8> = "hunter2".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, why) in [
        (without_mark, "there is a NUL byte, as in UTF-16 without a byte order mark, in line 1, column 2"),
        (b"hunter2\xff".to_vec(), "it is not UTF-8 in line 1, column 8"),
    ] {
        let setup = Setup::new().await;
        let regpass = setup.regpass(&setup.docker_file("config.json", bytes));
        let reply = regpass.get(SECRET).await;
        assert_eq!(reply.status_and_code(), "502 UNAUTHORIZED");
        let message = reply.error().1;
        assert!(
            message.contains(why) && message.contains("config.json") && message.contains("save it as UTF-8"),
            "{message}"
        );
        assert!(!message.contains("hunter"), "{message}");
        setup.sim.ledger().take();
        setup.sim.finish();
    }
}
