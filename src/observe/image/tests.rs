use super::*;
use crate::observe::recent_requests::RequestTimes;
use crate::oci::name::RepositoryName;
use crate::oci::reference::Reference;

fn images() -> Arc<Images> {
    Images::new(WallClock::tokio(Duration::ZERO))
}

fn begin(images: &Arc<Images>, repository: &str) -> Option<ImageRequest> {
    let name = RepositoryName::parse(repository).unwrap();
    let operation = Operation::ReadManifest(name, Reference::parse("1").unwrap());
    images.request_started("corp.example", &operation, &Method::GET)
}

fn end(images: &Images, request: ImageRequest) {
    let finished = FinishedRequest {
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
        is_complete: true,
        time: RequestTimes::default(),
        failure: None,
    };
    images.request_ended(request, &finished, &ImageDetails { digest: None, token_fetches: 0 });
}

#[tokio::test(start_paused = true)]
async fn quietest_image_makes_room_and_busy_ones_stay() {
    let images = images();
    let busy = begin(&images, "busy").unwrap();
    for number in 0..MAX_ACTIVE * 2 {
        let request = begin(&images, &format!("app{number}")).unwrap();
        end(&images, request);
    }
    assert_eq!(images.lock().active.len(), MAX_ACTIVE);
    assert!(images.lock().active.iter().any(|image| image.number == busy.image));
    assert_eq!(images.recent().len(), MAX_REMEMBERED, "images that made room are kept as ended");
    let all: Vec<_> = (0..MAX_ACTIVE - 1).map(|number| begin(&images, &format!("more{number}"))).collect();
    assert!(all.iter().all(Option::is_some));
    assert_eq!(begin(&images, "last"), None, "no image is quiet, so there is no room for another");
}

#[tokio::test(start_paused = true)]
async fn sweeper_stops_with_the_last_image_and_starts_with_the_next() {
    let images = images();
    for round in 1..=3 {
        let request = begin(&images, "app").unwrap();
        tokio::time::sleep(QUIET_PERIOD * 3).await;
        assert_eq!(images.recent().len(), round - 1, "a request is in flight");
        end(&images, request);
        tokio::time::sleep(QUIET_PERIOD * 2).await;
        assert_eq!(images.recent().len(), round);
        assert!(!images.lock().has_sweeper);
    }
}
