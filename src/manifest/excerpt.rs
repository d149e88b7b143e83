//! A place in a text as a compiler shows it: the line, and a mark under what is meant.

use std::ops::Range;

use unicode_width::UnicodeWidthChar as _;

use crate::words::acts;

/// The most columns of the line that are shown. Of a longer line the part around the place is.
const COLUMNS: usize = 96;
/// Of these, so many stand before the place.
const BEFORE: usize = 40;
/// The most characters of each part of the line that are looked at: some have no width.
const MOST_CHARACTERS: usize = 2 * COLUMNS;

/// So many bytes are counted as one block.
const BLOCK: usize = 4096;

/// The start of each line of a text, to find places by their byte offset.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
    /// How many characters begin before each block: a line may be as long as the text, and is not to be counted again
    /// for each place in it.
    characters: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let blocks = text.as_bytes().chunks(BLOCK).scan(0, |sum, block| {
            *sum += characters(block);
            Some(*sum)
        });
        let characters = std::iter::once(0).chain(blocks).collect();
        Self { text, starts: std::iter::once(0).chain(breaks).collect(), characters }
    }

    /// Line and column, from 1, the column in characters.
    pub(super) fn place(&self, offset: usize) -> (u32, u32) {
        let line = self.line(offset);
        let column = 1 + self.before(offset).saturating_sub(self.before(self.starts[line]));
        (number(line + 1), number(column))
    }

    /// How many characters begin before a byte offset.
    fn before(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        let block = offset / BLOCK;
        self.characters[block] + characters(&self.text.as_bytes()[block * BLOCK..offset])
    }

    /// The byte offset of a line and a column counted in bytes, both from 1, as serde_json counts.
    pub(super) fn offset(&self, line: usize, column: usize) -> usize {
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let mut at = (start + column.saturating_sub(1)).min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// The end of what is marked of a range: not beyond its first line.
    pub(super) fn end_of_mark(&self, range: &Range<usize>) -> usize {
        let line = self.content(self.line(range.start));
        range.end.min(line.end).max(range.start)
    }

    /// The line of the range, with a mark under it. `name` is that of the file.
    pub(super) fn excerpt(&self, range: &Range<usize>, name: Option<&str>) -> String {
        let index = self.line(range.start);
        let line = self.content(index);
        let (start, end) = (range.start.min(line.end), self.end_of_mark(range).min(line.end));
        let before = self.text.get(line.start..start).unwrap_or_default();
        let mut last: Vec<char> = before.chars().rev().take(MOST_CHARACTERS).collect();
        last.reverse();
        let is_cut = last.iter().map(|c| c.len_utf8()).sum::<usize>() < before.len();
        let marked = self.text.get(start..end).unwrap_or_default();
        let after = self.text.get(end..line.end).unwrap_or_default();

        let mut shown = String::new();
        if is_cut || width(last.iter().copied()) > BEFORE {
            shown.push('…');
            let mut from = last.len();
            while from > 0 && width(last[from - 1..].iter().copied()) < BEFORE {
                from -= 1;
            }
            last[from..].iter().for_each(|c| show(*c, &mut shown));
        } else {
            last.iter().for_each(|c| show(*c, &mut shown));
        }
        let indent = width(shown.chars());
        let is_full = |shown: &str| width(shown.chars()) >= COLUMNS - 1;
        let mut cut = false;
        for (count, c) in marked.chars().enumerate() {
            cut = is_full(&shown) || count >= MOST_CHARACTERS;
            if cut {
                break;
            }
            show(c, &mut shown);
        }
        let marks = (width(shown.chars()) - indent).max(1);
        for (count, c) in after.chars().enumerate() {
            cut = cut || is_full(&shown) || count >= MOST_CHARACTERS;
            if cut {
                break;
            }
            show(c, &mut shown);
        }
        if cut {
            shown.push('…');
        }
        let (line, column) = self.place(start);
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        let place =
            name.map_or_else(|| format!("line {line}, column {column}"), |name| format!("{name}:{line}:{column}"));
        let (indent, marks) = (" ".repeat(indent), "^".repeat(marks));
        format!("{gutter}--> {place}\n{gutter} |\n{number} | {}\n{gutter} | {indent}{marks}", shown.trim_end())
    }

    /// The index of the line.
    fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).max(1) - 1
    }

    /// The bytes of a line without its end.
    fn content(&self, index: usize) -> Range<usize> {
        let start = self.starts[index];
        let end = self.starts.get(index + 1).map_or(self.text.len(), |next| next - 1);
        let text = self.text.get(start..end).unwrap_or_default();
        start..start + text.trim_end_matches('\r').len()
    }
}

/// How many characters begin in these bytes of a text.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| !matches!(byte, 0x80..=0xbf)).count()
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// A character as it can be printed: tabs as spaces, other control characters visible.
fn show(c: char, shown: &mut String) {
    match c {
        '\t' => shown.push_str("    "),
        c if acts(c) => shown.push('\u{fffd}'),
        c => shown.push(c),
    }
}

/// How many columns characters take.
fn width(text: impl Iterator<Item = char>) -> usize {
    text.map(|c| if c == '\t' { 4 } else { c.width().unwrap_or(1) }).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn excerpt(text: &str, marked: &str) -> String {
        let start = text.find(marked).unwrap();
        Lines::new(text).excerpt(&(start..start + marked.len()), Some("a.json"))
    }

    #[test]
    fn the_mark_stands_under_what_is_meant() {
        let text = "{\n\t\"nodes\": 5,\r\n \"x\": 1}";
        assert_eq!(excerpt(text, "5"), " --> a.json:2:11\n  |\n2 |     \"nodes\": 5,\n  |              ^");
        assert_eq!(
            excerpt("{\"名前\": \"値\", \"b\": 7}", "7"),
            " --> a.json:1:18\n  |\n1 | {\"名前\": \"値\", \"b\": 7}\n  |                     ^"
        );
    }

    #[test]
    fn of_long_lines_the_part_around_the_place_is_shown() {
        let text = format!("[{}\"here\"{}]", "0, ".repeat(5000), ", 1".repeat(5000));
        let shown = excerpt(&text, "\"here\"");
        assert!(shown.lines().all(|line| line.chars().count() <= COLUMNS + 8), "{shown}");
        let lines: Vec<&str> = shown.lines().collect();
        let at = lines[3].find('^').unwrap();
        let under: String = lines[2].chars().skip(lines[3][..at].chars().count()).take(6).collect();
        assert_eq!(under, "\"here\"");
    }

    proptest! {
        #[test]
        fn any_range_of_any_text_is_shown(text in "\\PC{0,40}[\\t\\r\\n]{0,3}\\PC{0,200}", a in 0_usize..300, b in 0_usize..300) {
            let inside = |mut at: usize| { at = at.min(text.len()); while !text.is_char_boundary(at) { at -= 1; } at };
            let (start, end) = (inside(a.min(b)), inside(a.max(b)));
            let shown = Lines::new(&text).excerpt(&(start..end), None);
            let lines: Vec<&str> = shown.lines().collect();
            prop_assert_eq!(lines.len(), 4);
            let marks = lines[3].chars().filter(|c| *c == '^').count();
            prop_assert!((1..=COLUMNS).contains(&marks));
            prop_assert!(width(lines[2].chars()) <= COLUMNS + 12);
        }
    }
}
