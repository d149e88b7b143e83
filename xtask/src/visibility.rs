//! Makes every top-level declaration of the generated Kotlin `internal`: users see the hand-written layer alone, and the
//! compiler holds that (`-Xexplicit-api=strict` refuses a public declaration that was missed).

use anyhow::{Result, bail};

/// What may stand before a declaration's keyword.
const MODIFIERS: &[&str] = &["open", "data", "sealed", "enum", "abstract", "inline", "suspend", "const"];
const KEYWORDS: &[&str] = &["class", "interface", "object", "fun", "val", "var", "typealias"];

/// The same text with `internal` before each top-level declaration that is public.
pub fn internal(text: &str) -> Result<String> {
    let mut out = String::with_capacity(text.len() + 4096);
    let (mut depth, mut in_comment) = (0_i32, false);
    for line in text.split_inclusive('\n') {
        let code = code_of(line, &mut in_comment);
        match (depth, declaration(&code)) {
            (0, Some(place)) => {
                out.push_str(&line[..place]);
                out.push_str("internal ");
                out.push_str(line[place..].strip_prefix("public ").unwrap_or(&line[place..]));
            }
            _ => out.push_str(line),
        }
        depth += code.chars().map(|sign| i32::from("{(".contains(sign)) - i32::from("})".contains(sign))).sum::<i32>();
        if depth < 0 {
            bail!("the generated Kotlin closes more than it opens at `{}`", line.trim());
        }
    }
    match depth {
        0 => Ok(out),
        _ => bail!("the generated Kotlin leaves {depth} brackets open"),
    }
}

/// The line with blanks in place of its comments, so that places stay.
fn code_of(line: &str, in_comment: &mut bool) -> String {
    let mut code = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(sign) = rest.chars().next() {
        let ends = *in_comment && rest.starts_with("*/");
        if !*in_comment && rest.starts_with("//") && !code.ends_with(':') {
            break;
        }
        *in_comment |= rest.starts_with("/*");
        let taken = if ends { 2 } else { sign.len_utf8() };
        code.push_str(&if *in_comment { " ".repeat(taken) } else { sign.to_string() });
        *in_comment &= !ends;
        rest = &rest[taken..];
    }
    code
}

/// Where the public declaration of a line begins.
fn declaration(code: &str) -> Option<usize> {
    let mut place = code.len() - code.trim_start().len();
    // An annotation on the same line.
    if code[place..].starts_with('@') {
        let end = place + code[place..].find(") ")? + 1;
        place = end + code[end..].len() - code[end..].trim_start().len();
    }
    let mut words = code[place..].split_whitespace().peekable();
    words.next_if_eq(&"public");
    while words.next_if(|word| MODIFIERS.contains(word)).is_some() {}
    let found = words.next().is_some_and(|word| KEYWORDS.contains(&word) || word.starts_with("fun<"));
    found.then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_top_level_declaration_becomes_internal() {
        let text = "/**\n * fun of it {\n */\nopen class A {\n    fun a() {}\n}\npublic interface B\n    /** x */ fun `c`(\n    d: Int)\n\
                    @Throws(E::class) suspend fun e() {}\ninternal object F\nprivate fun g() {}\nval h = \"http://{}\"\n";
        let expected = "/**\n * fun of it {\n */\ninternal open class A {\n    fun a() {}\n}\ninternal interface B\n    /** x */ \
                        internal fun `c`(\n    d: Int)\n@Throws(E::class) internal suspend fun e() {}\ninternal object F\n\
                        private fun g() {}\ninternal val h = \"http://{}\"\n";
        assert_eq!(internal(text).unwrap(), expected);
    }

    #[test]
    fn unbalanced_text_is_refused() {
        assert!(internal("class A {\n").is_err() && internal("}\n").is_err());
    }
}
