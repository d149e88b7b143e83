//! Words in messages: the nearest known name, a value shown short, a number with its noun, and nothing that a terminal
//! obeys.

use std::borrow::Cow;

use serde_json::Value;

/// The longest name that a suggestion is sought for, and the longest that is suggested, in bytes. Ours are shorter.
const LONGEST: usize = 64;

/// Looks for what was meant by unknown names, at a cost that has a bound however many names and candidates there are:
/// once it is spent there are no more suggestions.
#[derive(Debug)]
pub(crate) struct Suggestions {
    /// How many pairs of letters may be compared still.
    left: usize,
}

impl Default for Suggestions {
    fn default() -> Self {
        // A hundredth of a second or two: in the largest manifest, the names of 10,000 nodes for the first few mistakes.
        Self { left: 4 << 20 }
    }
}

impl Suggestions {
    /// The candidate most like `name`, if one is near enough to be what was meant; the first of several.
    ///
    /// Compared without case and without `_`, `-` and a trailing `Node`, by Damerau-Levenshtein distance: at most a
    /// third of the name's length away.
    pub(crate) fn nearest<'a>(&mut self, name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        if name.len() > LONGEST {
            return None;
        }
        let wanted = plain(name);
        let length = wanted.chars().count();
        let limit = (length / 3).max(1);
        let mut best: Option<(usize, &str)> = None;
        for candidate in candidates {
            self.left = self.left.checked_sub(1)?;
            if candidate.len() > LONGEST {
                continue;
            }
            let candidate_plain = plain(candidate);
            let other = candidate_plain.chars().count();
            self.left = self.left.checked_sub(candidate.len())?;
            if length.abs_diff(other) > limit {
                continue;
            }
            self.left = self.left.checked_sub(length * other)?;
            let distance = strsim::osa_distance(&wanted, &candidate_plain);
            if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, candidate));
            }
        }
        best.map(|(_, candidate)| candidate)
    }
}

/// One search of [`Suggestions`].
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    Suggestions::default().nearest(name, candidates)
}

/// A value in a message: short, and as JSON.
pub(crate) fn shown(value: &Value) -> String {
    let text = match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(members) => format!("an object of {}", members.len()),
        other => other.to_string(),
    };
    if text.chars().count() > 60 { format!("{}…", text.chars().take(60).collect::<String>()) } else { text }
}

/// A number with its noun: `1 channel`, `2 channels`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Whether a terminal may act on a character instead of showing it: control characters, and those that turn the
/// direction of text, which could hide what is there.
pub(crate) fn acts(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text that comes from a manifest as it may be shown: what a terminal acts on is spelled out as JSON does. Lines and
/// tabs stay.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let acts = |c: char| acts(c) && c != '\n' && c != '\t';
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        // All of these are in the first 64 Ki characters.
        if acts(c) { shown.push_str(&format!("\\u{:04x}", u32::from(c))) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// The letters of a name: what it is without case, `_`, `-` and spaces.
pub(crate) fn letters(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

/// What is wrong with the filter of a log, as `RUST_LOG` has it, though its reader takes it: a word that is no level is
/// the name of a module to it, and when none of them is ours nothing at all is logged.
#[cfg(any(feature = "cli", feature = "python"))]
pub(crate) fn log_filter_fault(filter: &str) -> Option<String> {
    let directives = || filter.split(',').map(str::trim).filter(|directive| !directive.is_empty());
    let is_level = |word: &str| {
        ["off", "error", "warn", "info", "debug", "trace"].iter().any(|level| word.eq_ignore_ascii_case(level))
            || matches!(word, "0" | "1" | "2" | "3" | "4" | "5")
    };
    let matters = |directive: &str| {
        is_level(directive)
            || directive.starts_with("remotemedia")
            || directive.contains(['=', '['])
            || directive.contains("::")
    };
    let first = directives().next()?;
    (!directives().any(matters)).then(|| {
        format!("`{first}` is no level, expected error, warn, info, debug, trace or off, or such as remotemedia=debug")
    })
}

fn plain(name: &str) -> String {
    let lower = letters(name);
    lower.strip_suffix("node").filter(|rest| !rest.is_empty()).unwrap_or(&lower).to_owned()
}

#[cfg(test)]
mod tests {
    #[cfg(any(feature = "cli", feature = "python"))]
    use super::log_filter_fault;
    use super::{Suggestions, counted, nearest, printable};

    #[test]
    fn finds_what_was_meant_and_nothing_else() {
        let names = ["AudioResample", "AudioLevel", "Gain"];
        assert_eq!(nearest("AudioResampel", names), Some("AudioResample"));
        assert_eq!(nearest("audioresample", names), Some("AudioResample"));
        assert_eq!(nearest("audio_resample_node", names), Some("AudioResample"));
        assert_eq!(nearest("Gian", names), Some("Gain"));
        assert_eq!(nearest("Whisper", names), None);
        assert_eq!(nearest("", names), None);
    }

    #[test]
    fn one_thing_has_no_plural() {
        let words = [0, 1, 2].map(|count| counted(count, "channel"));
        assert_eq!(words, ["0 channels", "1 channel", "2 channels"]);
    }

    #[test]
    fn what_a_terminal_acts_on_is_spelled_out() {
        assert_eq!(printable("\u{1b}[31mred\u{9b}0m\u{7f}\u{202e}\r"), "\\u001b[31mred\\u009b0m\\u007f\\u202e\\u000d");
        assert_eq!(printable("lines\n\tof ä€𝄞"), "lines\n\tof ä€𝄞");
    }

    #[cfg(any(feature = "cli", feature = "python"))]
    #[test]
    fn a_filter_that_would_log_nothing_is_at_fault() {
        for fine in [
            "",
            "debug",
            "WARN",
            "0",
            "remotemedia",
            "remotemedia::ipc=trace,off",
            "hyper=debug",
            "[span]",
            "my_app::net",
        ] {
            assert_eq!(log_filter_fault(fine), None, "{fine}");
        }
        for wrong in ["garbage", "deubg", "verbose, all"] {
            assert!(log_filter_fault(wrong).is_some_and(|fault| fault.contains("expected error")), "{wrong}");
        }
    }

    #[test]
    fn the_work_of_many_searches_has_a_bound() {
        let names: Vec<String> = (0..10_000).map(|number| format!("node_{number}")).collect();
        let mut suggestions = Suggestions::default();
        assert_eq!(suggestions.nearest("node-77x", names.iter().map(String::as_str)), Some("node_77"));
        let looked_at = std::cell::Cell::new(0_usize);
        for _ in 0..10_000 {
            suggestions
                .nearest("node-77x", names.iter().map(String::as_str).inspect(|_| looked_at.set(looked_at.get() + 1)));
        }
        assert!(looked_at.get() < 4 << 20, "{} candidates", looked_at.get());
    }
}
