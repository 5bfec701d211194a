//! Files that a configuration names. Broken or gone, they leave in force what they said before, and that is told
//! everywhere; changed, they are in force within seconds.

mod certificates;
mod clients;
mod logins;
mod mounted;
mod registries;
mod upload_keys;

use std::fs;
use std::path::Path;

use super::house::Running;
use super::told;

/// A way to break a file: what it is called, what is in the file then (`None`: it is gone), and words that tell of it.
type Break<'a> = (&'a str, Option<&'a [u8]>, &'a [&'a str]);

/// Breaks the file of a key in each of these ways and mends it again. What `in_force` asserts holds throughout, and the
/// file is told to be broken and mended in time.
async fn broken(regpass: &Running, file: &Path, key: &str, ways: &[Break<'_>], in_force: impl AsyncFn(&str)) {
    let good = fs::read(file).expect("a good file");
    let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
    told::nowhere(regpass, "before").await;
    for (what, content, words) in ways {
        let what = format!("{name}: {what}");
        let told: Vec<&str> = words.iter().copied().chain([name]).collect();
        let mark = regpass.daemon.mark();
        match content {
            Some(content) => fs::write(file, content).expect("a broken file"),
            None => fs::remove_file(file).expect("a file"),
        }
        told::everywhere(regpass, mark, &what, key, &told).await;
        in_force(&what).await;
        fs::write(file, &good).expect("a good file");
        told::nowhere(regpass, &what).await;
        in_force(&what).await;
    }
}
