//! What regpass tells about itself: metrics, the record of a request, logs. Knows label enums, never modules.

pub mod advice;
pub mod blame;
pub mod health;
pub mod image;
pub mod log;
pub mod metrics;
pub mod process;
pub mod recent;
pub mod record;
pub mod reloads;
pub mod seen;
pub mod text;
