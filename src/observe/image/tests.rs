use super::*;
use crate::observe::recent::Time;
use crate::oci::name::RepositoryName;
use crate::oci::reference::Reference;

fn images() -> Arc<Images> {
    Images::new(WallClock::tokio(Duration::ZERO))
}

fn begin(images: &Arc<Images>, repository: &str) -> Option<Place> {
    let name = RepositoryName::parse(repository).unwrap();
    let operation = Operation::ReadManifest(name, Reference::parse("1").unwrap());
    images.begun("corp.example", &operation, &Method::GET)
}

fn end(images: &Images, place: Place) {
    let request = Finished {
        number: 1,
        at: Duration::ZERO,
        method: Method::GET,
        registry: None,
        repository: None,
        reference: Some("1".into()),
        operation: "read-manifest",
        status: 200,
        grant: "none",
        attempts: 1,
        sent: 0,
        bytes: 7,
        whole: true,
        time: Time::default(),
        failure: None,
    };
    images.ended(place, &request, &Extra { digest: None, token_fetches: 0 });
}

#[tokio::test(start_paused = true)]
async fn as_many_images_are_followed_as_there_is_room_for_and_busy_ones_keep_theirs() {
    let images = images();
    let busy = begin(&images, "busy").unwrap();
    for number in 0..MOST_OPEN * 2 {
        let place = begin(&images, &format!("app{number}")).unwrap();
        end(&images, place);
    }
    assert_eq!(images.lock().open.len(), MOST_OPEN);
    assert!(images.lock().open.iter().any(|open| open.number == busy.image));
    assert_eq!(images.last().len(), MOST_REMEMBERED, "the ones that made room were told");
    let all: Vec<_> = (0..MOST_OPEN - 1).map(|number| begin(&images, &format!("more{number}"))).collect();
    assert!(all.iter().all(Option::is_some));
    assert_eq!(begin(&images, "last"), None, "all are busy: this one is not followed");
}

#[tokio::test(start_paused = true)]
async fn the_watch_ends_with_the_last_image_and_begins_with_the_next() {
    let images = images();
    for round in 1..=3 {
        let place = begin(&images, "app").unwrap();
        tokio::time::sleep(QUIET * 3).await;
        assert_eq!(images.last().len(), round - 1, "it is not over");
        end(&images, place);
        tokio::time::sleep(QUIET * 2).await;
        assert_eq!(images.last().len(), round);
        assert!(!images.lock().watched);
    }
}
