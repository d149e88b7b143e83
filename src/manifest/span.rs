//! Where in the text a JSON pointer is, and which keys are written twice.
//!
//! A plain scan of text that serde_json has accepted. It never fails: on anything unexpected it stops early, and
//! the places it has not reached stay unknown.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;

use super::Source;
use super::excerpt::Lines;
use crate::error::Problem;

/// What the scan comes across.
pub(super) enum Event<'a> {
    /// The value at the pointer of this hash, whole.
    Value(u64),
    /// The key that leads to the value at the pointer of this hash.
    Key(u64),
    /// A key of the object at this pointer is written a second time.
    Duplicate(&'a str, &'a str),
}

/// Walks through JSON text that is known to be valid, calling `visit` with each event and where it stands, in bytes.
pub(super) fn scan(text: &str, visit: &mut dyn FnMut(Event<'_>, Range<usize>)) {
    scan_with(text, &RandomState::new(), visit);
}

fn scan_with(text: &str, hasher: &RandomState, visit: &mut dyn FnMut(Event<'_>, Range<usize>)) {
    Scan { bytes: text.as_bytes(), text, at: 0, pointer: String::new(), hash: ROOT, hasher, visit }.value();
}

/// The hash of the empty pointer.
const ROOT: u64 = 0;

/// The hash of a pointer, from that of its parent: a pointer may be as long as the text, and is not to be read again for
/// each value below it.
fn step(hasher: &RandomState, parent: u64, segment: &str) -> u64 {
    hasher.hash_one((parent, segment))
}

/// The hashes of a pointer and of its parents, the longest first.
fn hashes(hasher: &RandomState, path: &str) -> Vec<u64> {
    let segments = path.split('/').skip(1);
    let mut all = vec![ROOT];
    all.extend(segments.scan(ROOT, |hash, segment| {
        *hash = step(hasher, *hash, segment);
        Some(*hash)
    }));
    all.reverse();
    all
}

/// The most problems that get an excerpt: nobody reads further.
const EXCERPTS: usize = 100;

#[derive(Default)]
struct Place {
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
}

/// Fills in line, column and excerpt of every problem, as far as its pointer can be found in the text.
///
/// A pointer to something absent gets the place of the nearest parent that is there. A text that was made from a value
/// has no places: nobody has seen it.
pub(crate) fn locate(text: &str, source: Source<'_>, problems: &mut [Problem]) {
    let name = match source {
        Source::Value => {
            for problem in problems {
                (problem.line, problem.column) = (None, None);
            }
            return;
        }
        Source::Text => None,
        Source::File(name) => Some(name),
    };
    if problems.iter().all(|problem| problem.end_column.is_some()) {
        return;
    }
    // Every place that is asked for, and its parents.
    let hasher = RandomState::new();
    let pointers: Vec<Vec<u64>> = problems.iter().map(|problem| hashes(&hasher, &problem.path)).collect();
    let mut places: HashMap<u64, Place> = pointers.iter().flatten().map(|hash| (*hash, Place::default())).collect();
    let mut visit = |event: Event<'_>, range| match event {
        Event::Value(hash) => {
            if let Some(place) = places.get_mut(&hash) {
                place.value = Some(range);
            }
        }
        Event::Key(hash) => {
            if let Some(place) = places.get_mut(&hash) {
                place.key = Some(range);
            }
        }
        Event::Duplicate(..) => {}
    };
    // Where the parser of JSON has stopped is known; such text must not be scanned, as its nesting has no bound.
    if problems.iter().any(|problem| problem.line.is_none()) {
        scan_with(text, &hasher, &mut visit);
    }
    let lines = Lines::new(text);
    for (index, problem) in problems.iter_mut().enumerate().filter(|(_, problem)| problem.end_column.is_none()) {
        let range = match problem.line.zip(problem.column) {
            // The parser of JSON has said where.
            Some((line, column)) => {
                let start = lines.offset(line as usize, column as usize);
                start..start + text.get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8)
            }
            None => {
                let exact =
                    places.get(&pointers[index][0]).and_then(|place| place.key.clone().filter(|_| problem.at_key));
                let near = || pointers[index].iter().find_map(|hash| places.get(hash)?.value.clone());
                exact.or_else(near).unwrap_or(0..0)
            }
        };
        let (line, column) = lines.place(range.start);
        (problem.line, problem.column) = (Some(line), Some(column));
        problem.end_column = Some(lines.place(lines.end_of_mark(&range)).1);
        if index < EXCERPTS {
            problem.excerpt = Some(lines.excerpt(&range, name));
        }
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
    pointer: String,
    hash: u64,
    hasher: &'a RandomState,
    visit: &'a mut dyn FnMut(Event<'_>, Range<usize>),
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
        let start = self.at;
        let more = self.content();
        (self.visit)(Event::Value(self.hash), start..self.at.min(self.bytes.len()));
        more
    }

    fn content(&mut self) -> bool {
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
        let (parent, parent_hash) = (self.pointer.len(), self.hash);
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
                (self.visit)(Event::Duplicate(&self.pointer, &key), key_at..self.at);
            }
            let key_end = self.at;
            self.space();
            self.at += 1; // `:`
            self.enter(&escape(&key));
            (self.visit)(Event::Key(self.hash), key_at..key_end);
            let more = self.value();
            self.pointer.truncate(parent);
            self.hash = parent_hash;
            if !more || !self.next_is_comma(b'}') {
                return more && self.at <= self.bytes.len();
            }
        }
    }

    fn elements(&mut self) -> bool {
        let (parent, parent_hash) = (self.pointer.len(), self.hash);
        for index in 0.. {
            self.at += 1; // `[` or `,`
            self.space();
            if self.bytes.get(self.at) == Some(&b']') {
                self.at += 1;
                return true;
            }
            self.enter(&index.to_string());
            let more = self.value();
            self.pointer.truncate(parent);
            self.hash = parent_hash;
            if !more || !self.next_is_comma(b']') {
                return more;
            }
        }
        false
    }

    /// Goes one step down: the pointer is that of a member now.
    fn enter(&mut self, segment: &str) {
        self.pointer.push('/');
        self.pointer.push_str(segment);
        self.hash = step(self.hasher, self.hash, segment);
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
        locate(text, Source::Text, &mut problems);
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
