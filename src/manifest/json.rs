//! What is wrong with a text that is not JSON, and what to do about it.

use crate::error::Problem;

/// The problem that the parser's error tells of.
pub(super) fn not_json(text: &str, error: &serde_json::Error) -> Problem {
    let deep = error.to_string().contains("recursion limit");
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or("not JSON");
    let mut problem = if deep {
        Problem::error("RM0102", "", "the manifest is nested too deeply").expected("at most 127 levels")
    } else if text.trim().is_empty() {
        Problem::error("RM0101", "", "the manifest is empty").expected("a JSON object")
    } else {
        // serde_json's word for true, false and null.
        let message = message.replace("expected ident", "unknown word");
        Problem::error("RM0101", "", format!("the manifest is not JSON: {message}"))
    };
    problem.line = u32::try_from(error.line()).ok();
    problem.column = u32::try_from(error.column().max(1)).ok();
    if problem.expected.is_none() {
        let here = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
        let here = here.as_bytes().get(error.column().saturating_sub(1)).copied();
        problem.fix = Some(repair(message, here).to_owned());
    }
    problem
}

/// What to do about a text that is not JSON, from the parser's words and the byte it stopped at.
fn repair(message: &str, here: Option<u8>) -> &'static str {
    match here {
        Some(b'\'') => "JSON wants double quotes around text",
        Some(b'/' | b'#') => "JSON has no comments: take it out",
        _ if message.starts_with("EOF") => "the text ends too early: a bracket or a quote is not closed",
        Some(b']' | b'}') if message == "expected value" => "a value is missing before the bracket",
        _ if message.contains("trailing comma") => "take out the comma before it",
        _ if message.contains("key must be a string") => "put the key in double quotes",
        _ if message.contains("expected `,`") => "a comma or a closing bracket is missing before it",
        _ if message.contains("expected `:`") => "a colon is missing before it",
        _ if message.contains("trailing characters") => "the manifest has ended before it: take out what follows",
        _ if message.contains("control character") => "write line breaks and tabs in text as \\n and \\t",
        _ => "this is no JSON value: text wants double quotes, and true, false and null are in small letters",
    }
}
