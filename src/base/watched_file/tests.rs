use std::fs;
use std::future::{Future, poll_fn};
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use tempfile::{TempDir, tempdir};
use tokio::time::advance;

use super::read::MAX_BYTES;
use super::*;
use crate::base::tests::{CapturedLog, replace_file};

fn parse_number(path: &Path, text: &str) -> Result<u32, FileError> {
    text.trim().parse().map_err(|_| FileError::new(format!("{} is not a number", path.display())))
}

/// A file with the number 1, in a folder that is removed when its handle is dropped.
fn number_file() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("number");
    fs::write(&path, "1").unwrap();
    (folder, path)
}

/// Advances the clock by a second, after which the file is checked again, and reads the number.
async fn read_later(file: &WatchedFile<u32>) -> Result<u32, FileError> {
    advance(INTERVAL).await;
    file.current().await.map(|number| *number)
}

#[tokio::test(start_paused = true)]
async fn every_way_of_changing_a_file_is_noticed() {
    let (folder, path) = number_file();
    let file = WatchedFile::new(path.clone(), parse_number);
    assert_eq!(read_later(&file).await.unwrap(), 1);
    fs::write(&path, "2").unwrap();
    assert_eq!(read_later(&file).await.unwrap(), 2, "in place");
    replace_file(&path, "3");
    assert_eq!(read_later(&file).await.unwrap(), 3, "renamed over");
    let other = folder.path().join("other");
    fs::write(&other, "4").unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&other, &path).unwrap();
    assert_eq!(read_later(&file).await.unwrap(), 4, "replaced by a symlink");
}

#[tokio::test(start_paused = true)]
async fn a_value_is_the_same_until_the_file_is_written_again() {
    let (_folder, path) = number_file();
    let file = WatchedFile::new(path.clone(), parse_number);
    let first = file.current().await.unwrap();
    advance(INTERVAL).await;
    assert!(Arc::ptr_eq(&file.current().await.unwrap(), &first), "a file written just now is read once more");
    replace_file(&path, "1");
    advance(INTERVAL).await;
    assert!(!Arc::ptr_eq(&file.current().await.unwrap(), &first));
}

#[tokio::test(start_paused = true)]
async fn a_swapped_symlink_above_the_file_is_noticed() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, content) in [("..1", "1"), ("..2", "2")] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("number"), content).unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/number", at("number")).unwrap();
    let file = WatchedFile::new(at("number"), parse_number);
    assert_eq!(read_later(&file).await.unwrap(), 1);
    symlink("..2", at("..next")).unwrap();
    fs::rename(at("..next"), at("..data")).unwrap();
    fs::remove_dir_all(at("..1")).unwrap();
    assert_eq!(read_later(&file).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_last_good_content_is_used_and_each_failure_is_logged_once() {
    let (log, _guard) = CapturedLog::start();
    let (_folder, path) = number_file();
    let file = WatchedFile::new(path.clone(), parse_number);
    assert_eq!(read_later(&file).await.unwrap(), 1);
    for (number_of_warnings, content) in [(1, Some("hunter2")), (2, Some("")), (3, None)] {
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        for _ in 0..3 {
            assert_eq!(read_later(&file).await.unwrap(), 1, "{content:?}");
        }
        assert_eq!(log.lines("WARN").len(), number_of_warnings, "{content:?}: {:?}", log.lines(""));
    }
    assert_eq!(log.lines(path.to_str().unwrap()).len(), 3);
    assert!(log.lines("hunter2").is_empty());
    fs::write(&path, "2").unwrap();
    assert_eq!(read_later(&file).await.unwrap(), 2);
    assert_eq!(log.lines("can be read again").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_optional_missing_file_is_a_problem_only_after_it_existed() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("number");
    let file = WatchedFile::new(path.clone(), parse_number);
    let problem_later = async |is_required| {
        advance(INTERVAL).await;
        file.problem(is_required).await.map(|FileProblem { message, has_last_good }| {
            (message.replace(path.to_str().unwrap(), "it"), has_last_good)
        })
    };
    let missing =
        "it does not exist; create it or correct the path in the configuration (regpass keeps checking for it)";
    assert_eq!(problem_later(true).await, Some((missing.to_owned(), false)));
    assert_eq!(problem_later(false).await, None);
    fs::write(&path, "x").unwrap();
    assert_eq!(problem_later(false).await, Some(("it is not a number".to_owned(), false)));
    fs::write(&path, "1").unwrap();
    assert_eq!((problem_later(true).await, problem_later(false).await), (None, None));
    fs::remove_file(&path).unwrap();
    assert_eq!(problem_later(false).await, Some((missing.to_owned(), true)));
}

#[tokio::test(start_paused = true)]
async fn a_missing_file_is_read_once_it_exists() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("later/number");
    let file = WatchedFile::new(path.clone(), parse_number);
    assert!(matches!(file.current().await, Err(FileError::Missing(_))));
    let error = read_later(&file).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("{} does not exist", path.display())), "{error}");
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, "1").unwrap();
    assert_eq!(read_later(&file).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn folders_devices_and_large_files_are_errors() {
    let folder = tempdir().unwrap();
    let large = folder.path().join("large");
    fs::write(&large, vec![b'1'; usize::try_from(MAX_BYTES).unwrap() + 1]).unwrap();
    for (path, why) in [
        (folder.path().to_owned(), "is a folder; name the file in it"),
        (PathBuf::from("/dev/zero"), "is not a regular file"),
        (large, "is larger than 1048576 bytes"),
        (folder.path().join("x").join("n".repeat(300)), "does not exist"),
        (folder.path().join("n".repeat(300)), "cannot read"),
        (folder.path().join("large/below"), "does not exist"),
    ] {
        let error = read_later(&WatchedFile::new(path.clone(), parse_number)).await.unwrap_err();
        assert!(error.to_string().contains(why) && error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn text_of_other_encodings_is_decoded_and_bytes_that_are_no_text_are_an_error() {
    let (_folder, path) = number_file();
    let file = WatchedFile::new(path.clone(), parse_number);
    for (bytes, number) in
        [(&b"\xef\xbb\xbf12\r\n"[..], 12), (b"\xff\xfe2\x003\0", 23), (b"\xfe\xff\x003\x004", 34), (b"45\0\x1a", 45)]
    {
        fs::write(&path, bytes).unwrap();
        assert_eq!(read_later(&file).await.unwrap(), number);
    }
    let file = WatchedFile::new(path.clone(), parse_number);
    fs::write(&path, b"1\n2\xff").unwrap();
    let error = read_later(&file).await.unwrap_err().to_string();
    let expected = "is not text that regpass can read: it is not UTF-8 in line 2, column 2; save it as UTF-8";
    assert_eq!(error, format!("{} {expected}", path.display()));
}

#[tokio::test(start_paused = true)]
async fn concurrent_readers_cause_one_check_a_second() {
    static READ: AtomicUsize = AtomicUsize::new(0);
    fn counting(path: &Path, text: &str) -> Result<u32, FileError> {
        READ.fetch_add(1, Ordering::Relaxed);
        parse_number(path, text)
    }
    let (_folder, path) = number_file();
    let file = Arc::new(WatchedFile::new(path.clone(), counting));
    for checks in 1..=3 {
        for _ in 0..2 {
            let readers: Vec<_> = (0..100)
                .map(|_| {
                    tokio::spawn({
                        let file = file.clone();
                        async move { *file.current().await.unwrap() }
                    })
                })
                .collect();
            for reader in readers {
                assert_eq!(reader.await.unwrap(), 1);
            }
            assert_eq!(READ.load(Ordering::Relaxed), checks);
            advance(INTERVAL / 2).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stops_waiting_does_not_stop_the_check() {
    let (_folder, path) = number_file();
    let file = WatchedFile::new(path, parse_number);
    {
        let mut leaving = Box::pin(file.current());
        let poll = poll_fn(|context| Poll::Ready(leaving.as_mut().poll(context))).await;
        assert!(poll.is_pending());
    }
    assert_eq!(*file.current().await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn after_a_parser_panics_the_next_check_runs() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    fn panicking(path: &Path, text: &str) -> Result<u32, FileError> {
        assert!(PANICS.fetch_add(1, Ordering::Relaxed) > 0, "the first time");
        parse_number(path, text)
    }
    let (_folder, path) = number_file();
    let file = WatchedFile::new(path, panicking);
    assert!(file.current().await.is_err());
    assert_eq!(*file.current().await.unwrap(), 1);
}

fn missing_failure() -> Failure {
    Failure { error: FileError::Missing(PathBuf::from("/number")), stamp: None }
}

#[test]
fn a_settled_file_is_not_read_again() {
    let (_folder, path) = number_file();
    let stamp = |look| match look {
        Outcome::Read { stamp, value: 1, .. } => stamp,
        _ => panic!("the file was not read as 1"),
    };
    let young = stamp(read_if_changed(&path, parse_number, None));
    assert!(!young.is_settled, "a file written just now may be written again within the same tick");
    assert!(matches!(read_if_changed(&path, parse_number, Some(&young)), Outcome::Unchanged));
    replace_file(&path, "1");
    assert!(!stamp(read_if_changed(&path, parse_number, Some(&young))).is_same_version(&young));

    let state = |settled, failure| {
        let mut stamp = young.clone();
        stamp.is_settled = settled;
        State::<u32> { good: None, failure, stamp: Some(stamp), digest: [0; 32], checked: None, check: None }
    };
    assert!(state(true, None).stamp_if_reusable().is_some());
    assert!(state(false, None).stamp_if_reusable().is_none());
    assert!(state(true, Some(missing_failure())).stamp_if_reusable().is_none());
}
