//! Whole files and what becomes of them.

mod accepted;
mod broken;
mod precedence;
mod reference;
mod refused;

use std::ffi::OsString;
use std::path::Path;

use super::decode;
use crate::config::model::Config;
use crate::config::overrides::Choices;
use crate::config::problem::Problem;
use crate::config::variables::Variables;

fn load_with(text: &str, file: Option<&str>, choices: &Choices) -> Result<Config, Vec<Problem>> {
    let read = |name: &str| match name {
        "SET" => Some(OsString::from("hunter2")),
        "EMPTY" => Some(OsString::new()),
        _ => None,
    };
    let (config, problems) = decode(text, file.map(Path::new), choices, Variables::new(&read));
    config.filter(|_| problems.is_empty()).ok_or(problems)
}

fn load(text: &str) -> Result<Config, Vec<Problem>> {
    load_with(text, Some("/etc/regpass/config.toml"), &Choices::default())
}
