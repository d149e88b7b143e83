//! Where in the text a JSON pointer is, and which keys are written twice.
//!
//! A plain scan of text that serde_json has accepted. It never fails: on anything unexpected it stops early, and
//! the places it has not reached stay unknown.

use crate::error::Problem;

/// What the scan comes across.
pub(super) enum Event<'a> {
    /// The value at this pointer starts here.
    Value(&'a str),
    /// A key of the object at this pointer is written a second time.
    Duplicate(&'a str, &'a str),
}

/// Walks through JSON text that is known to be valid, calling `visit` with each event and its byte offset.
pub(super) fn scan(text: &str, visit: &mut dyn FnMut(Event<'_>, usize)) {
    Scan { bytes: text.as_bytes(), text, at: 0, pointer: String::new(), visit }.value();
}

/// Fills in line and column of every problem, as far as its pointer can be found in the text.
///
/// A pointer to something absent gets the place of the nearest parent that is there.
pub(crate) fn locate(text: &str, problems: &mut [Problem]) {
    let mut found: Vec<(usize, usize)> = vec![(0, 0); problems.len()]; // (length of the pointer matched, offset)
    scan(text, &mut |event, offset| {
        let Event::Value(pointer) = event else { return };
        for (problem, best) in problems.iter().zip(&mut found) {
            let path = problem.path.as_str();
            let inside = path.starts_with(pointer) && matches!(path.as_bytes().get(pointer.len()), None | Some(b'/'));
            if inside && pointer.len() >= best.0 {
                *best = (pointer.len(), offset);
            }
        }
    });
    for (problem, (_, offset)) in problems.iter_mut().zip(found) {
        if problem.line.is_none() {
            let (line, column) = line_and_column(text, offset);
            problem.line = Some(line);
            problem.column = Some(column);
        }
    }
}

fn line_and_column(text: &str, offset: usize) -> (u32, u32) {
    let before = &text[..offset.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before[line_start..].chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

struct Scan<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
    pointer: String,
    visit: &'a mut dyn FnMut(Event<'_>, usize),
}

impl Scan<'_> {
    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// One value. Its nesting is bounded by serde_json, which has read the text before. Returns false at the end.
    fn value(&mut self) -> bool {
        self.space();
        (self.visit)(Event::Value(&self.pointer), self.at);
        match self.bytes.get(self.at) {
            Some(b'{') => self.members(),
            Some(b'[') => self.elements(),
            Some(b'"') => self.string().is_some(),
            Some(_) => {
                while !matches!(self.bytes.get(self.at), None | Some(b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r'))
                {
                    self.at += 1;
                }
                true
            }
            None => false,
        }
    }

    fn members(&mut self) -> bool {
        let mut keys = std::collections::HashSet::new();
        let parent = self.pointer.len();
        loop {
            self.at += 1; // `{` or `,`
            self.space();
            if self.bytes.get(self.at) == Some(&b'}') {
                self.at += 1;
                return true;
            }
            let key_at = self.at;
            let Some(key) = self.string() else { return false };
            if !keys.insert(key.clone()) {
                (self.visit)(Event::Duplicate(&self.pointer, &key), key_at);
            }
            self.space();
            self.at += 1; // `:`
            self.pointer.push('/');
            self.pointer.push_str(&escape(&key));
            let more = self.value();
            self.pointer.truncate(parent);
            if !more || !self.next_is_comma(b'}') {
                return more && self.at <= self.bytes.len();
            }
        }
    }

    fn elements(&mut self) -> bool {
        let parent = self.pointer.len();
        for index in 0.. {
            self.at += 1; // `[` or `,`
            self.space();
            if self.bytes.get(self.at) == Some(&b']') {
                self.at += 1;
                return true;
            }
            self.pointer.push('/');
            self.pointer.push_str(&index.to_string());
            let more = self.value();
            self.pointer.truncate(parent);
            if !more || !self.next_is_comma(b']') {
                return more;
            }
        }
        false
    }

    /// Whether a comma follows; steps over the closing bracket otherwise.
    fn next_is_comma(&mut self, closing: u8) -> bool {
        self.space();
        let byte = self.bytes.get(self.at).copied();
        if byte == Some(closing) {
            self.at += 1;
        }
        byte == Some(b',')
    }

    /// The string that starts here, decoded.
    fn string(&mut self) -> Option<String> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.bytes.get(self.at)? {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        serde_json::from_str(self.text.get(start..self.at)?).ok()
    }
}

/// A key as a segment of a JSON pointer (RFC 6901).
pub(super) fn escape(key: &str) -> String {
    if key.contains(['~', '/']) { key.replace('~', "~0").replace('/', "~1") } else { key.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_line_and_column_in_characters() {
        let text = "{\n  \"ä\": 1, \"nodes\": [\n    {\"id\": \"a\"},\n    {\"id\": \"b\", \"x~/y\": [true]}]}";
        let mut problems = ["/nodes/1/id", "/nodes/1/x~0~1y/0", "/nodes/0/absent", "/nodes", ""]
            .map(|path| Problem::error("RM0100", path, "x"));
        locate(text, &mut problems);
        let places: Vec<_> = problems.iter().map(|p| (p.line.unwrap(), p.column.unwrap())).collect();
        assert_eq!(places, [(4, 12), (4, 26), (3, 5), (2, 20), (1, 1)]);
    }

    #[test]
    fn finds_keys_written_twice() {
        let mut seen = Vec::new();
        scan(r#"{"a": {"b": 1, "\u0062": 2}, "a": 3, "c": {"a": {}}}"#, &mut |event, _| {
            if let Event::Duplicate(pointer, key) = event {
                seen.push(format!("{pointer}:{key}"));
            }
        });
        assert_eq!(seen, ["/a:b", ":a"]);
    }

    #[test]
    fn broken_text_ends_the_scan() {
        for text in ["", "{", "[1,", "{\"a\"", "{\"a\":", "\"abc", "[[[", "{\"a\":1,"] {
            scan(text, &mut |_, _| {});
        }
    }
}
