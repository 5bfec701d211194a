//! Files with several problems, or with syntax errors, and secrets that no message may contain.

use proptest::prelude::*;

use super::load;
use crate::config::problem::Problems;
use crate::config::render;

#[test]
fn a_syntax_error_does_not_hide_problems_of_other_lines() {
    let text = "allow = pull\n\n[timeouts]\nconnect = hunter2\ntoken = '0s'\nbody_idle =\nhunter2 = 1\n[admin\n";
    let problems = Problems::new(load(text).unwrap_err());
    let seen: Vec<(usize, &str)> = problems.0.iter().filter_map(|p| Some((p.line?, p.key.as_str()))).collect();
    assert_eq!(seen, [(1, ""), (4, ""), (5, "timeouts.token"), (6, ""), (7, "timeouts"), (8, "")], "{problems:#?}");
    assert!(!format!("{problems:?}").contains("hunter2"));
}

#[test]
fn an_unclosed_bracket_is_not_reported_for_each_line_below() {
    let problems =
        load("allow = [\n'pull',\n\n[timeouts]\nconnect = '5s'\ntoken = '5s'\nbody_idle = '5s'\n").unwrap_err();
    assert!(problems.len() <= 2, "{problems:#?}");
}

#[test]
fn all_problems_are_reported_in_the_order_of_lines() {
    let text = "alow = []\n[[listener]]\naddress = '5050'\n[registry.'a.io']\nalias = 'v2'\ncredential = { source = 'password', username = { env = 'NO_1' }, password = { env = 'NO_2' } }\n[timeouts]\nconnect = 1";
    let problems = Problems::new(load(text).unwrap_err());
    let lines: Vec<usize> = problems.0.iter().filter_map(|problem| problem.line).collect();
    assert_eq!(lines, [1, 3, 5, 6, 6, 8], "{problems}");
}

#[test]
fn no_problem_contains_a_secret() {
    let bad_lines = [
        "token = \"hunter2",
        "token = hunter2",
        "token = 'hunter2' 'hunter2'",
        "token = [\"hunter2\"]",
        "token = { value = 'hunter2' }",
        "token = { env = 'hunter2-' }",
        "token = 'a\nhunter2='",
        "token = 'a\nhunter2 = 1\n'",
        "token = \"\"\"\nhunter2",
        "hunter2",
    ];
    for line in bad_lines {
        for text in [
            format!("credential = {{ source = 'bearer', {line} }}"),
            format!("[registry.'a.io'.credential]\nsource = 'bearer'\n{line}\n"),
        ] {
            let problems = load(&text).unwrap_err();
            assert!(
                !format!("{problems:?} {}", Problems::new(problems.clone())).contains("hunter2"),
                "{text}\n{problems:#?}"
            );
        }
    }
    for text in [
        "upload_key = 'hunter2'",
        "upload_key = ['hunter2', \"hunter2]",
        "upload_key = { env = 'SET' }",
        "upload_spool = 'hunter2'",
    ] {
        let problems = load(text).unwrap_err();
        assert!(!format!("{problems:?} {}", Problems::new(problems.clone())).contains("hunter2"), "{text}");
    }
    let config = load("upload_key = 'hunter2 hunter2 hunter2'").unwrap();
    assert!(!format!("{config:?} {}", render::render(&config)).contains("hunter2"));
    for literal in ["'hunter2'", "{ env = 'SET' }"] {
        let config =
            load(&format!("credential = {{ source = 'password', username = {literal}, password = {literal} }}"))
                .unwrap();
        assert!(!format!("{config:?} {}", render::render(&config)).contains("hunter2"));
    }
}

proptest! {
    #[test]
    fn decoding_any_text_does_not_panic(text in ".{0,200}") {
        let _ = load(&text);
    }

    #[test]
    fn decoding_any_sequence_of_tokens_does_not_panic(tokens in proptest::collection::vec(proptest::sample::select(TOKENS), 0..24)) {
        if let Err(problems) = load(&tokens.concat()) {
            let _ = Problems::new(problems).to_string();
        }
    }
}

const TOKENS: &[&str] = &[
    "\n",
    " = ",
    "\"",
    "'",
    "'''",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    ",",
    ".",
    "#",
    "1",
    "true",
    "ä",
    "\u{feff}",
    "\r",
    "listener",
    "registry",
    "'a.io'",
    "'*'",
    "admin",
    "address",
    "'127.0.0.1:1'",
    "credential",
    "source",
    "'bearer'",
    "token",
    "env",
    "'SET'",
    "identity",
    "repositories",
    "'a/**'",
    "timeouts",
    "connect",
    "'5s'",
    "upload_key",
    "upload_spool",
    "hosts",
    "alias",
];
