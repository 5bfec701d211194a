//! The life of the process: reload, stop, and what systemd hands over and is told.

mod activation;
mod addresses;
mod broken;
mod descriptors;
mod files;
mod house;
mod reload;
mod secrets;
mod soak;
mod stop;
mod told;
mod watched;
