//! The forms in which registries write the location of an upload.

use super::PushSetup;
use crate::sim::{Locations, Preset};

const LOCATION_FORMS: [Locations; 8] = [
    Locations::AbsoluteWithState,
    Locations::RelativeWithState,
    Locations::RelativeTrailing,
    Locations::PathRelative,
    Locations::SchemeRelative,
    Locations::Singular,
    Locations::OutsideApi,
    Locations::OtherHost,
];

#[tokio::test(start_paused = true)]
async fn an_upload_works_with_every_form_of_location() {
    for form in LOCATION_FORMS {
        let preset = Preset::distribution(crate::sim::AuthMode::Token).upload_locations(form);
        let setup = PushSetup::start(preset, "upload_hosts = [\"uploads.distribution.test\"]").await;
        let blob = b"the first part, and the second";
        let first = setup.start_upload("team/app").await;
        let second = setup.patch(&first, &blob[..15], None).await;
        setup.finish_upload(&second, &blob[15..], blob).await;
        setup.sim.finish();
    }
}
