//! Where in the text a JSON pointer is, and which keys are written twice.
//!
//! A plain scan of text that serde_json has accepted. It never fails: on anything unexpected it stops early, and
//! the places it has not reached stay unknown.

use std::collections::HashMap;

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
    if problems.iter().all(|problem| problem.line.is_some()) {
        return;
    }
    // Every place that is asked for, and its parents.
    let mut places: HashMap<String, Option<usize>> = HashMap::from([(String::new(), None)]);
    for problem in problems.iter() {
        for end in parents(&problem.path) {
            places.entry(problem.path[..end].to_owned()).or_default();
        }
    }
    scan(text, &mut |event, offset| {
        if let Event::Value(pointer) = event
            && let Some(place) = places.get_mut(pointer)
        {
            *place = Some(offset);
        }
    });
    let ascii = text.is_ascii();
    let lines: Vec<usize> =
        std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1)).collect();
    for problem in problems.iter_mut().filter(|problem| problem.line.is_none()) {
        let found = parents(&problem.path).find_map(|end| places.get(&problem.path[..end]).copied().flatten());
        let (line, column) = line_and_column(text, ascii, &lines, found.unwrap_or(0));
        problem.line = Some(line);
        problem.column = Some(column);
    }
}

/// The lengths of a pointer and of its parents, the longest first.
fn parents(path: &str) -> impl Iterator<Item = usize> + '_ {
    std::iter::once(path.len()).chain(path.rmatch_indices('/').map(|(at, _)| at))
}

/// `lines` holds the offset of the start of each line.
fn line_and_column(text: &str, ascii: bool, lines: &[usize], offset: usize) -> (u32, u32) {
    let line = lines.partition_point(|start| *start <= offset).max(1);
    let before = text.get(lines[line - 1]..offset).unwrap_or_default();
    // Most manifests are ASCII: no need to count, which would take long for many problems on one long line.
    let column = 1 + if ascii { before.len() } else { before.chars().count() };
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
