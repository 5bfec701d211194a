//! CNCF Distribution (the `registry` image), section 14 of registries.md.

use std::sync::Arc;

use super::super::registry::{Ask, Denial, Policy, Route, Scope, Series};
use super::super::reply::Reply;
use super::{Abilities, Catalog, Deletes, Preset, Shown, SinglePost, Untyped};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Open,
    Htpasswd,
    Token,
}

impl Preset {
    pub fn distribution(mode: Mode) -> Self {
        let mut preset = Self::plain("distribution.test");
        preset.title_case = true;
        preset.oddities = Arc::new(strict_slash);
        preset.policy = Policy::Users;
        preset.pull.untyped = Untyped::NotFound;
        preset.push.single_post = SinglePost::Ignored;
        match mode {
            Mode::Open => {
                preset.gate.open = true;
                preset.policy = Policy::Everyone;
                preset.can = Abilities {
                    login: None,
                    private: "acme/public",
                    shown: Shown::Nothing,
                    catalog: Catalog::Everyone,
                    expiry: None,
                    ..preset.can
                };
            }
            Mode::Htpasswd => {
                preset.gate.basic = true;
                preset.gate.refuse = Arc::new(refuse_basic);
                preset.can = Abilities { shown: Shown::Basic, anonymous: false, expiry: None, ..preset.can };
            }
            Mode::Token => {
                preset.tokens.path = "/auth/token".into();
                preset.tokens.service = Some("Docker registry".to_owned());
            }
        }
        preset
    }

    /// `storage.delete.enabled` is off, as it is by default.
    #[must_use]
    pub fn without_delete(self) -> Self {
        let refusal = Reply::error(405, "UNSUPPORTED", "The operation is unsupported.");
        let mut preset = self.pushes(|push| push.deletes = Deletes::refused(&refusal));
        preset.can = preset.can.undeletable();
        preset
    }
}

fn strict_slash(ask: &Ask<'_>) -> Option<Reply> {
    (*ask.route == Route::BareBase).then(|| Reply::redirect(301, "/v2/"))
}

fn refuse_basic(denial: &Denial<'_>) -> Reply {
    unauthorized(&denial.needs).header("www-authenticate", r#"Basic realm="Registry Realm""#)
}

pub(super) fn refuse(denial: &Denial<'_>) -> Reply {
    let scopes: Vec<String> = denial.needs.iter().map(|scope| unstable(denial, scope).to_string()).collect();
    let scope = (!scopes.is_empty()).then(|| scopes.join(" "));
    unauthorized(&denial.needs).header("www-authenticate", denial.bearer(scope.as_deref()))
}

fn unauthorized(needs: &[Scope]) -> Reply {
    Reply::error_detail(401, "UNAUTHORIZED", "authentication required", &detail(needs))
}

/// The actions come out of a Go map, in any order: here in turns, so that a test meets both.
fn unstable(denial: &Denial<'_>, scope: &Scope) -> Scope {
    let mut scope = scope.clone();
    if denial.ask.registry.next_number(Series::Challenges).is_multiple_of(2) {
        scope.actions.reverse();
    }
    scope
}

/// `[{"Type":"repository","Class":"","Name":"library/python","Action":"pull"}]`, or `null` without needs.
pub(super) fn detail(needs: &[Scope]) -> String {
    let records: Vec<String> = needs
        .iter()
        .flat_map(|scope| scope.actions.iter().map(move |action| (scope, action)))
        .map(|(Scope { kind, name, .. }, action)| {
            format!(r#"{{"Type":"{kind}","Class":"","Name":"{name}","Action":"{action}"}}"#)
        })
        .collect();
    if records.is_empty() { "null".to_owned() } else { format!("[{}]", records.join(",")) }
}
