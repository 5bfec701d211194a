//! Wherever a registry sends an upload, the client's next request comes to regpass, and goes there.

use super::Stage;
use crate::sim::{Locations, Preset};

const FORMS: [Locations; 8] = [
    Locations::AbsoluteWithState,
    Locations::RelativeWithState,
    Locations::RelativeTrailing,
    Locations::PathRelative,
    Locations::SchemeRelative,
    Locations::Singular,
    Locations::Outside,
    Locations::OtherHost,
];

#[tokio::test(start_paused = true)]
async fn every_form_of_location_leads_through_regpass() {
    for form in FORMS {
        let preset = Preset::distribution(crate::sim::Mode::Token).locations(form);
        let stage = Stage::set(preset, "upload_hosts = [\"uploads.distribution.test\"]").await;
        let blob = b"the first part, and the second";
        let first = stage.begin("team/app").await;
        let second = stage.patch(&first, &blob[..15], None).await;
        stage.finish(&second, &blob[15..], blob).await;
        stage.sim.finish();
    }
}
