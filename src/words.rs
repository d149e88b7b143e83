//! Words in messages: the nearest known name, a value shown short, a number with its noun.

use serde_json::Value;

/// The candidate most like `name`, if one is near enough to be what was meant.
///
/// Compared without case and without `_`, `-` and a trailing `Node`, by Damerau-Levenshtein distance: at most a
/// third of the name's length away.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A name longer than any of ours is not worth a quadratic comparison.
    if name.len() > 64 {
        return None;
    }
    let wanted = plain(name);
    let limit = (wanted.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
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

fn plain(name: &str) -> String {
    let lower: String = name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect();
    lower.strip_suffix("node").filter(|rest| !rest.is_empty()).unwrap_or(&lower).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{counted, nearest};

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
}
