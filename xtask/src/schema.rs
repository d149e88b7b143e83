//! A node's parameters, read from the JSON schema that schemars 1.x makes of its parameter struct.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// One parameter of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    pub name: String,
    pub description: String,
    pub kind: Kind,
    pub required: bool,
    /// `null` counts as no default.
    pub default: Option<Value>,
    pub minimum: Option<Value>,
    pub maximum: Option<Value>,
}

/// What a parameter holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Boolean,
    Integer,
    Number,
    Text,
    /// Fixed words, each with its description (may be empty).
    Choice(Vec<(String, String)>),
    List(Box<Kind>),
    Object,
    Any,
}

/// The parameters of a schema, in the order of the struct's fields.
pub fn params(schema: &Value) -> Result<Vec<Param>> {
    let Some(properties) = schema.get("properties") else { return Ok(Vec::new()) };
    let properties = properties.as_object().context("`properties` is not an object")?;
    let required: Vec<&str> = match schema.get("required").and_then(Value::as_array) {
        Some(names) => names.iter().filter_map(Value::as_str).collect(),
        None => Vec::new(),
    };
    let definitions = schema.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut params = Vec::new();
    for (name, property) in properties {
        let inner = without_null(property);
        let resolved = resolve(inner, &definitions)?;
        let find = |key: &str| property.get(key).or_else(|| inner.get(key)).or_else(|| resolved.get(key)).cloned();
        let description = find("description").and_then(|text| text.as_str().map(one_paragraph)).unwrap_or_default();
        params.push(Param {
            name: name.clone(),
            description,
            kind: kind(inner, &definitions).with_context(|| format!("parameter `{name}`"))?,
            required: required.contains(&name.as_str()),
            default: find("default").filter(|value| !value.is_null()),
            minimum: find("minimum").or_else(|| find("exclusiveMinimum")),
            maximum: find("maximum").or_else(|| find("exclusiveMaximum")),
        });
    }
    Ok(params)
}

/// `Option<T>` is `anyOf [T, null]`: the T.
fn without_null(property: &Value) -> &Value {
    let is_null = |one: &&Value| one.get("type").and_then(Value::as_str) == Some("null");
    match property.get("anyOf").and_then(Value::as_array) {
        Some(choices) if choices.len() == 2 && choices.iter().any(|one| is_null(&one)) => {
            choices.iter().find(|one| !is_null(one)).unwrap_or(property)
        }
        _ => property,
    }
}

fn resolve<'a>(schema: &'a Value, definitions: &'a Map<String, Value>) -> Result<&'a Value> {
    match schema.get("$ref").and_then(Value::as_str) {
        None => Ok(schema),
        Some(reference) => {
            let name = reference.strip_prefix("#/$defs/").with_context(|| format!("cannot follow `{reference}`"))?;
            definitions.get(name).with_context(|| format!("no definition `{name}`"))
        }
    }
}

fn kind(schema: &Value, definitions: &Map<String, Value>) -> Result<Kind> {
    let schema = resolve(schema, definitions)?;
    if let Some(words) = words(schema) {
        return Ok(Kind::Choice(words));
    }
    let name = match schema.get("type") {
        None => return Ok(Kind::Any),
        Some(Value::String(name)) => name.as_str(),
        // Option<u32> is ["integer", "null"].
        Some(Value::Array(names)) => {
            let mut others = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
            match (others.next(), others.next()) {
                (Some(name), None) => name,
                _ => return Ok(Kind::Any),
            }
        }
        Some(other) => bail!("cannot read the type {other}"),
    };
    Ok(match name {
        "boolean" => Kind::Boolean,
        "integer" => Kind::Integer,
        "number" => Kind::Number,
        "string" => Kind::Text,
        "object" => Kind::Object,
        "array" => match schema.get("items") {
            Some(items) => Kind::List(Box::new(kind(items, definitions)?)),
            None => Kind::List(Box::new(Kind::Any)),
        },
        other => bail!("cannot read the type `{other}`"),
    })
}

/// An enum of words: `enum [..]`, or `oneOf` of constants when the variants have descriptions, or of both.
fn words(schema: &Value) -> Option<Vec<(String, String)>> {
    let text = |value: &Value| value.as_str().map(|word| (word.to_owned(), String::new()));
    if let Some(list) = schema.get("enum").and_then(Value::as_array) {
        return list.iter().filter(|one| !one.is_null()).map(text).collect();
    }
    let mut found = Vec::new();
    for one in schema.get("oneOf")?.as_array()? {
        match one.get("const").and_then(Value::as_str) {
            Some(word) => {
                let description = one.get("description").and_then(Value::as_str).map(one_paragraph);
                found.push((word.to_owned(), description.unwrap_or_default()));
            }
            None => found.extend(words(one)?),
        }
    }
    Some(found)
}

/// Doc comments are wrapped in the source: one line each here.
pub fn one_paragraph(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_of_schemars_is_read() {
        let schema = json!({
            "type": "object",
            "properties": {
                "rate": {"description": "Rate\nin Hz.", "type": "integer", "format": "uint32", "minimum": 1, "maximum": 384000},
                "source": {"type": ["integer", "null"], "default": null},
                "quality": {"$ref": "#/$defs/Quality", "default": "high", "description": "How well."},
                "preset": {"anyOf": [{"$ref": "#/$defs/Preset"}, {"type": "null"}]},
                "gains": {"type": "array", "items": {"type": "number"}},
                "any": true
            },
            "required": ["rate"],
            "$defs": {
                "Quality": {"oneOf": [{"const": "high", "type": "string", "description": "Good."}, {"enum": ["low"], "type": "string"}]},
                "Preset": {"type": "string", "enum": ["file", "conversation"]}
            }
        });
        let found = params(&schema).unwrap();
        assert_eq!(found.len(), 6);
        assert_eq!((found[0].kind.clone(), found[0].required), (Kind::Integer, true));
        assert_eq!(found[0].description, "Rate in Hz.");
        assert_eq!((found[0].minimum.clone(), found[0].maximum.clone()), (Some(json!(1)), Some(json!(384_000))));
        assert_eq!((found[1].kind.clone(), found[1].default.clone(), found[1].required), (Kind::Integer, None, false));
        assert_eq!(found[2].kind, Kind::Choice(vec![("high".into(), "Good.".into()), ("low".into(), String::new())]));
        assert_eq!(found[2].default, Some(json!("high")));
        assert_eq!(
            found[3].kind,
            Kind::Choice(vec![("file".into(), String::new()), ("conversation".into(), String::new())])
        );
        assert_eq!(found[4].kind, Kind::List(Box::new(Kind::Number)));
        assert_eq!(found[5].kind, Kind::Any);
    }

    #[test]
    fn no_parameters_is_fine() {
        assert!(params(&json!({"type": "object"})).unwrap().is_empty());
    }
}
