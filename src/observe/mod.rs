//! Metrics, logs and the state that the status page shows. Modules here depend on none of the modules that report to
//! them.

pub mod advice;
pub mod blame;
pub mod health;
pub mod image;
pub mod log;
pub mod metrics;
pub mod process;
pub mod recent_requests;
pub mod record;
pub mod reloads;
pub mod activity;
pub mod text_log;
