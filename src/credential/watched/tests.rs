use std::fs;
use std::future::{Future, poll_fn};
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use tempfile::tempdir;
use tokio::time::advance;

use super::look::LARGEST;
use super::*;
use crate::credential::tests::{Log, replace};

fn number(path: &Path, bytes: &[u8]) -> Result<u32, CredentialError> {
    let text = String::from_utf8_lossy(bytes);
    text.trim().parse().map_err(|_| CredentialError::new(format!("{} is not a number", path.display())))
}

async fn later(file: &Watched<u32>) -> Result<u32, CredentialError> {
    advance(INTERVAL).await;
    file.required().await.map(|number| *number)
}

#[tokio::test(start_paused = true)]
async fn every_way_of_changing_a_file_is_seen() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("number");
    fs::write(&path, "1").unwrap();
    let file = Watched::new(path.clone(), number);
    assert_eq!(later(&file).await.unwrap(), 1);
    fs::write(&path, "2").unwrap();
    assert_eq!(later(&file).await.unwrap(), 2, "in place");
    replace(&path, "3");
    assert_eq!(later(&file).await.unwrap(), 3, "renamed over");
    let other = folder.path().join("other");
    fs::write(&other, "4").unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&other, &path).unwrap();
    assert_eq!(later(&file).await.unwrap(), 4, "made a link");
}

#[tokio::test(start_paused = true)]
async fn a_value_is_the_same_until_the_file_is_written_again() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("number");
    fs::write(&path, "1").unwrap();
    let file = Watched::new(path.clone(), number);
    let first = file.current().await.unwrap();
    advance(INTERVAL).await;
    assert!(Arc::ptr_eq(&file.current().await.unwrap(), &first), "read once more, as it is young");
    replace(&path, "1");
    advance(INTERVAL).await;
    assert!(!Arc::ptr_eq(&file.current().await.unwrap(), &first));
}

#[tokio::test(start_paused = true)]
async fn a_swap_of_the_folder_above_is_seen() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, content) in [("..1", "1"), ("..2", "2")] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("number"), content).unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/number", at("number")).unwrap();
    let file = Watched::new(at("number"), number);
    assert_eq!(later(&file).await.unwrap(), 1);
    symlink("..2", at("..next")).unwrap();
    fs::rename(at("..next"), at("..data")).unwrap();
    fs::remove_dir_all(at("..1")).unwrap();
    assert_eq!(later(&file).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_good_stays_and_each_trouble_is_told_once() {
    let (log, _guard) = Log::listen();
    let folder = tempdir().unwrap();
    let path = folder.path().join("number");
    fs::write(&path, "1").unwrap();
    let file = Watched::new(path.clone(), number);
    assert_eq!(later(&file).await.unwrap(), 1);
    for (number_of_warnings, content) in [(1, Some("hunter2")), (2, Some("")), (3, None)] {
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        for _ in 0..3 {
            assert_eq!(later(&file).await.unwrap(), 1, "{content:?}");
        }
        assert_eq!(log.lines("WARN").len(), number_of_warnings, "{content:?}: {:?}", log.lines(""));
    }
    assert_eq!(log.lines(path.to_str().unwrap()).len(), 3);
    assert!(log.lines("hunter2").is_empty());
    fs::write(&path, "2").unwrap();
    assert_eq!(later(&file).await.unwrap(), 2);
    assert_eq!(log.lines("readable").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_need_not_be_there_is_in_trouble_once_it_was() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("number");
    let file = Watched::new(path.clone(), number);
    let later = async |named| {
        advance(INTERVAL).await;
        file.trouble(named).await.map(|BadFile { what, kept }| (what.replace(path.to_str().unwrap(), "it"), kept))
    };
    let not_there =
        "it does not exist; create it or correct the path in the configuration (it is looked for again all the time)";
    assert_eq!(later(true).await, Some((not_there.to_owned(), false)));
    assert_eq!(later(false).await, None);
    fs::write(&path, "x").unwrap();
    assert_eq!(later(false).await, Some(("it is not a number".to_owned(), false)));
    fs::write(&path, "1").unwrap();
    assert_eq!((later(true).await, later(false).await), (None, None));
    fs::remove_file(&path).unwrap();
    assert_eq!(later(false).await, Some((not_there.to_owned(), true)));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_never_there_is_looked_for_again() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("later/number");
    let file = Watched::new(path.clone(), number);
    assert!(matches!(file.current().await, Err(Lacking::Missing)));
    let error = later(&file).await.unwrap_err();
    assert!(error.what.starts_with(&format!("{} does not exist", path.display())), "{error}");
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, "1").unwrap();
    assert_eq!(later(&file).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_proper_file_is_refused() {
    let folder = tempdir().unwrap();
    let large = folder.path().join("large");
    fs::write(&large, vec![b'1'; usize::try_from(LARGEST).unwrap() + 1]).unwrap();
    for (path, why) in [
        (folder.path().to_owned(), "is not a regular file"),
        (PathBuf::from("/dev/zero"), "is not a regular file"),
        (large, "is larger than 1048576 bytes"),
        (folder.path().join("x").join("n".repeat(300)), "does not exist"),
        (folder.path().join("n".repeat(300)), "cannot read"),
        (folder.path().join("large/below"), "does not exist"),
    ] {
        let error = later(&Watched::new(path.clone(), number)).await.unwrap_err();
        assert!(error.what.contains(why) && error.what.contains(path.to_str().unwrap()), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_users_cause_one_look_a_second() {
    static READ: AtomicUsize = AtomicUsize::new(0);
    fn counting(path: &Path, bytes: &[u8]) -> Result<u32, CredentialError> {
        READ.fetch_add(1, Ordering::Relaxed);
        number(path, bytes)
    }
    let folder = tempdir().unwrap();
    let path = folder.path().join("number");
    fs::write(&path, "1").unwrap();
    let file = Arc::new(Watched::new(path.clone(), counting));
    for looks in 1..=3 {
        for _ in 0..2 {
            let users: Vec<_> = (0..100)
                .map(|_| {
                    tokio::spawn({
                        let file = file.clone();
                        async move { *file.required().await.unwrap() }
                    })
                })
                .collect();
            for user in users {
                assert_eq!(user.await.unwrap(), 1);
            }
            assert_eq!(READ.load(Ordering::Relaxed), looks);
            advance(INTERVAL / 2).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_that_leaves_takes_nothing_with_it() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("number");
    fs::write(&path, "1").unwrap();
    let file = Watched::new(path, number);
    {
        let mut leaving = Box::pin(file.current());
        let poll = poll_fn(|context| Poll::Ready(leaving.as_mut().poll(context))).await;
        assert!(poll.is_pending());
    }
    assert_eq!(*file.required().await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_parser_that_panics_does_not_hold_anybody_up() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    fn panicking(path: &Path, bytes: &[u8]) -> Result<u32, CredentialError> {
        assert!(PANICS.fetch_add(1, Ordering::Relaxed) > 0, "the first time");
        number(path, bytes)
    }
    let folder = tempdir().unwrap();
    let path = folder.path().join("number");
    fs::write(&path, "1").unwrap();
    let file = Watched::new(path, panicking);
    assert!(file.required().await.is_err());
    assert_eq!(*file.required().await.unwrap(), 1);
}

#[test]
fn a_settled_file_is_not_read_again() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("number");
    fs::write(&path, "1").unwrap();
    let stamp = |look| match look {
        Look::Read { stamp, value: 1, .. } => stamp,
        _ => panic!("the file says 1"),
    };
    let young = stamp(look(&path, number, None));
    assert!(!young.settled, "a file written just now may be written again within the same tick");
    assert!(matches!(look(&path, number, Some(&young)), Look::Unchanged));
    replace(&path, "1");
    assert!(!stamp(look(&path, number, Some(&young))).same_file(&young));

    let state = |settled, trouble| {
        let mut stamp = young.clone();
        stamp.settled = settled;
        State::<u32> { good: None, trouble, stamp: Some(stamp), digest: [0; 32], checked: None, check: None }
    };
    assert!(state(true, None).known().is_some());
    assert!(state(false, None).known().is_none());
    assert!(state(true, Some(Trouble::Missing)).known().is_none());
}
