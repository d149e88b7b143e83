//! `TextCase`: upper, lower or title case.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::node::prelude::*;

/// Parameters of `TextCase`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The case to change to, by the rules of Unicode.
    mode: Mode,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// All upper case.
    Upper,
    /// All lower case.
    Lower,
    /// The first letter of each word upper case, the rest lower case.
    Title,
}

#[derive(Debug)]
pub(super) struct TextCase;

impl TypedNode for TextCase {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "TextCase",
            aliases: &["TextCaseNode", "TextTransform"],
            category: "text",
            description: "Changes text to upper, lower or title case.",
            inputs: vec![PortInfo::input(Kind::Text)],
            outputs: vec![PortInfo::out(Kind::Text)],
            params: serde_json::Value::Null,
            cost_ns_per_frame: 500.0,
            memory: Memory::Makes,
        }
    }

    fn negotiate(&self, _: &Params, _: &[Format]) -> Result<Vec<Format>> {
        Ok(vec![Format::Text])
    }

    fn build(&self, params: Params) -> Result<Box<dyn Processor>> {
        Ok(Box::new(Changer(params.mode)))
    }
}

#[derive(Debug)]
struct Changer(Mode);

impl Processor for Changer {
    fn open(&mut self, _: &[Format], _: Opening) -> Result<Opened> {
        Ok(Opened::new(vec![Format::Text], Latency::ZERO))
    }

    fn process(&mut self, _: PortId, packet: Packet, out: &mut Out) -> Result<()> {
        let RuntimeData::Text(text) = &packet.data else { return Ok(()) };
        let changed = match self.0 {
            Mode::Upper => text.to_uppercase(),
            Mode::Lower => text.to_lowercase(),
            Mode::Title => title(text),
        };
        out.emit(PortId::FIRST, packet.with(RuntimeData::text(changed), packet.pts));
        Ok(())
    }

    fn reset(&mut self) {}
}

fn title(text: &str) -> String {
    let mut inside = false;
    let mut result = String::with_capacity(text.len());
    for letter in text.chars() {
        if inside {
            result.extend(letter.to_lowercase());
        } else {
            result.extend(letter.to_uppercase());
        }
        inside = letter.is_alphanumeric() || inside && letter == '\'';
    }
    result
}

#[cfg(test)]
mod tests {
    use super::title;

    #[test]
    fn words_start_upper_case() {
        assert_eq!(title("hello WORLD, it's élan"), "Hello World, It's Élan");
    }
}
