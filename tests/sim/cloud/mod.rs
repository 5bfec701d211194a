//! Clouds as far as a registry's login needs them: they check every signature and hand out logins that end.

mod aws;

pub use self::aws::Aws;
