//! The versions of the clients in the root, compared with those that users have.

use super::root;
use crate::client_table::{Outcome, Row, write_rows};

/// Not a failure: Debian decides which versions it has. `tests/run` prints these rows at its end.
#[test]
fn versions_that_debian_does_not_have_are_in_the_table() {
    let row = |(client, version, wanted): (&str, String, &str)| Row {
        client: client.to_owned(),
        operation: "version".to_owned(),
        through_regpass: Outcome::NotRun,
        direct: Outcome::NotRun,
        note: format!("wanted {wanted}, Debian {} had {version}", root::suite()),
        version,
    };
    let mut rows: Vec<Row> = root::older_than_wanted().into_iter().map(row).collect();
    if !root::has_program("containerd-stargz-grpc") {
        rows.push(Row {
            client: "stargz".to_owned(),
            version: root::version("stargz"),
            operation: "pull lazily".to_owned(),
            through_regpass: Outcome::NotRun,
            direct: Outcome::NotRun,
            note: "Debian's package has the command ctr-remote only, not the snapshotter".to_owned(),
        });
    }
    write_rows("newest-versions", &rows);
}
