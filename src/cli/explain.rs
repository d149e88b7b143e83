//! `explain`: what a code means.

use serde_json::{Value, json};

use super::{complain, say};
use crate::codes::{CODES, Code, find};
use crate::words::nearest;

pub(super) fn run(code: Option<&str>, as_json: bool) -> i32 {
    let chosen: Vec<&Code> = match code {
        None => CODES.iter().collect(),
        Some(code) => match find(code) {
            Some(entry) => vec![entry],
            None => {
                let near = nearest(code, CODES.iter().map(|entry| entry.code));
                let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                return complain(&format!("there is no code `{code}`{hint}"));
            }
        },
    };
    if as_json {
        let entries: Vec<Value> = chosen.iter().map(|entry| json(entry)).collect();
        return say(&format!("{:#}", Value::Array(entries)), 0);
    }
    let lines: Vec<String> = chosen
        .iter()
        .map(|entry| {
            let head = format!("{}  {}", entry.code, entry.title);
            if code.is_none() {
                return head;
            }
            let example = entry.manifest.map_or_else(String::new, |example| format!("\n\nSuch as:\n\n{example}"));
            format!("{head} ({})\n\n{}{example}", entry.kind, entry.text)
        })
        .collect();
    say(&lines.join("\n"), 0)
}

fn json(entry: &Code) -> Value {
    json!({
        "code": entry.code,
        "kind": entry.kind.name(),
        "title": entry.title,
        "text": entry.text,
        "manifest": entry.manifest,
    })
}
