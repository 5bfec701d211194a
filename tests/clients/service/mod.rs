//! The life of the process: reload, stop, and what systemd hands over and is told.

mod activation;
mod broken;
mod house;
mod reload;
mod secrets;
mod stop;
mod watched;
