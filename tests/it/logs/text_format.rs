//! The text format of the log.

use crate::sim::{Fault, Reply};

use super::Setup;

#[tokio::test(start_paused = true)]
async fn line_has_the_main_fields_in_columns_and_the_others_by_name() {
    let setup = Setup::new().await;
    setup.pull("1").await;
    assert_eq!(setup.get("manifests/none").await.status, 404);
    let lines = setup.log.lines("");
    let requests: Vec<&String> = lines.iter().filter(|line| line.contains(" read-")).collect();
    let (time, first) = requests[0].split_at("2026-11-21T15:33:54Z".len());
    assert!(time.ends_with('Z') && time.contains('T'), "{time}");
    let start =
        " INFO  200 GET    read-manifest     reg.test/team/app:1                      grant=fetched attempts=2 ";
    assert!(first.starts_with(" INFO ") && first.starts_with(start), "{first}");
    assert!(first.contains(" auth_ms=") && first.contains(" ms="), "{first}");
    let blob = requests.iter().find(|line| line.contains("read-blob")).unwrap();
    assert!(
        blob.contains(&format!(
            " 200 GET    read-blob         reg.test/team/app@{}",
            setup.blob(0).replace("blobs/", "")
        ))
    );
    let failed = requests.last().unwrap();
    assert!(failed.contains(" INFO  404 GET ") && failed.contains(" blame=client step=registry error=\""), "{failed}");
    assert!(!setup.log.text().contains('\x1b'), "there are colours only on a terminal");
    setup.images().await;
    let image = setup.log.lines(" img ");
    assert!(image[1].contains(" INFO  img pull   failed            reg.test/team/app:none"), "{image:#?}");
    assert!(image[0].contains(" INFO  img pull   ok                reg.test/team/app:1 "), "{image:#?}");
}

#[tokio::test(start_paused = true)]
async fn line_breaks_and_escape_sequences_of_a_registry_are_escaped() {
    let setup = Setup::new().await;
    let words = "gone\n2026-11-21T15:33:54Z ERROR forged\u{1b}[2J \" ms=0";
    setup.registry.api().inject(Fault::answer(Reply::error(500, "UNKNOWN", words)));
    assert_eq!(setup.get("manifests/1").await.status, 500);
    let text = setup.log.text();
    assert!(text.contains("forged"), "{text}");
    assert!(
        !text.contains('\x1b')
            && !text.lines().any(|line| line.contains("Z ERROR forged") && line.starts_with("2026-11-21T15:33:54Z E"))
    );
}
