//! What regpass tells about itself: metrics, the record of a request, logs. Knows label enums, never modules.

pub mod blame;
pub mod log;
pub mod metrics;
pub mod record;
pub mod reloads;
