//! Decodes whole configuration files.

mod accepted;
mod invalid_toml;
mod precedence;
mod reference;
mod rejected;

use std::ffi::OsString;
use std::path::Path;

use super::decode;
use crate::config::model::Config;
use crate::config::overrides::ParsedOverrides;
use crate::config::problem::Problem;
use crate::config::variables::Variables;

fn load_with(text: &str, file: Option<&str>, overrides: &ParsedOverrides) -> Result<Config, Vec<Problem>> {
    let read = |name: &str| match name {
        "SET" => Some(OsString::from("hunter2")),
        "SET_WITH_LINE_END" => Some(OsString::from("hunter2\r\n")),
        "EMPTY" => Some(OsString::new()),
        "LINE_END" => Some(OsString::from("\r")),
        _ => None,
    };
    let (config, problems) = decode(text, file.map(Path::new), overrides, Variables::new(&read));
    config.filter(|_| problems.is_empty()).ok_or(problems)
}

fn load(text: &str) -> Result<Config, Vec<Problem>> {
    load_with(text, Some("/etc/regpass/config.toml"), &ParsedOverrides::default())
}
