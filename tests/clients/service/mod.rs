//! The regpass process: start, reload, shutdown, and the interface to systemd.

mod client_load;
mod file_descriptors;
mod files;
mod invalid_config;
mod listener_addresses;
mod missing_secret;
mod monitoring;
mod problem_reports;
mod reload;
mod shutdown;
mod soak;
mod socket_activation;
mod testbed;
mod unknown_hosts;
