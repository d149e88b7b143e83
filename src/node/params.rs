//! Parameters checked against their JSON schema, so that every problem is found and placed.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::error::Problem;
use crate::words::{Suggestions, shown};

/// The JSON schema of a parameter struct, without references.
pub fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// The most problems of one object of parameters: nobody reads further.
const MOST: usize = 100;

/// The checks of one parameter struct.
#[derive(Debug)]
pub struct Params {
    properties: Map<String, Value>,
    required: Vec<String>,
}

impl Params {
    /// From the schema of an object.
    pub fn new(schema: &Value) -> Self {
        let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        Self { properties, required: required.filter_map(Value::as_str).map(str::to_owned).collect() }
    }

    /// Every problem, or the first hundred; paths are relative to the object of parameters.
    pub fn check(&self, params: &Map<String, Value>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut suggestions = Suggestions::default();
        for (name, value) in params {
            if problems.len() == MOST {
                break;
            }
            let path = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            let Some(schema) = self.properties.get(name) else {
                let near = suggestions.nearest(name, self.properties.keys().map(String::as_str));
                let known: Vec<&str> = self.properties.keys().map(String::as_str).collect();
                let expected = if known.is_empty() { "no parameters".to_owned() } else { known.join(", ") };
                problems.push(
                    Problem::error("RM0110", path, format!("there is no parameter `{name}`"))
                        .at_key()
                        .found(name.clone())
                        .expected(expected)
                        .nearest(near),
                );
                continue;
            };
            if let Some((code, expected)) = mismatch(schema, value) {
                problems.push(
                    Problem::error(code, path, format!("`{name}` is {}", shown(value)))
                        .found(shown(value))
                        .expected(expected),
                );
            }
        }
        for name in self.required.iter().filter(|name| !params.contains_key(*name)) {
            let what = self.properties.get(name).and_then(|schema| schema.get("description")).and_then(Value::as_str);
            let mut problem = Problem::error("RM0113", "", format!("the parameter `{name}` is missing"));
            if let Some(what) = what.and_then(|text| text.split(". ").next()) {
                problem = problem.expected(format!("`{name}`: {}", what.trim_end_matches('.')));
            }
            problems.push(problem);
        }
        problems
    }
}

/// What the schema wants in place of the value, with the code of the problem; `None` when it fits.
fn mismatch(schema: &Value, value: &Value) -> Option<(&'static str, String)> {
    if let Some(options) = choices(schema) {
        let fits =
            value.as_str().is_some_and(|text| options.contains(&text)) || value.is_null() && allows(schema, "null");
        let code = if value.is_string() { "RM0112" } else { "RM0111" };
        return (!fits).then(|| (code, options.iter().map(|o| format!("\"{o}\"")).collect::<Vec<_>>().join(" or ")));
    }
    if value.is_null() && allows(schema, "null") {
        return None;
    }
    let bound = |key: &str| find(schema, key).and_then(Value::as_f64);
    let (low, high) = (bound("minimum"), bound("maximum"));
    let range = match (low, high) {
        (Some(low), Some(high)) => format!(" from {low} to {high}"),
        (Some(low), None) => format!(" of at least {low}"),
        (None, Some(high)) => format!(" of at most {high}"),
        (None, None) => String::new(),
    };
    let (fits, what) = if allows(schema, "integer") {
        (value.is_i64() || value.is_u64(), "a whole number")
    } else if allows(schema, "number") {
        (value.is_number(), "a number")
    } else if allows(schema, "boolean") {
        (value.is_boolean(), "true or false")
    } else if allows(schema, "string") {
        (value.is_string(), "a string")
    } else if allows(schema, "array") && !allows(schema, "object") {
        (value.is_array(), "a list")
    } else if allows(schema, "object") && !allows(schema, "array") {
        (value.is_object(), "an object")
    } else {
        return None; // What is in them is left to serde, or to the node.
    };
    if !fits {
        return Some(("RM0111", format!("{what}{range}")));
    }
    let number = value.as_f64()?;
    let outside = low.is_some_and(|low| number < low) || high.is_some_and(|high| number > high);
    outside.then(|| ("RM0112", format!("{what}{range}")))
}

/// The strings that the schema allows, when it allows nothing else.
fn choices(schema: &Value) -> Option<Vec<&str>> {
    let variants = |key: &str| schema.get(key).and_then(Value::as_array);
    if let Some(options) = variants("enum") {
        return Some(options.iter().filter_map(Value::as_str).collect());
    }
    if let Some(one) = schema.get("const").and_then(Value::as_str) {
        return Some(vec![one]);
    }
    let parts = variants("oneOf").or_else(|| variants("anyOf"))?;
    let all: Vec<&str> = parts.iter().filter_map(choices).flatten().collect();
    (!all.is_empty()).then_some(all)
}

/// Whether a value of this JSON type may stand here.
fn allows(schema: &Value, name: &str) -> bool {
    let here = match schema.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(many)) => many.iter().any(|one| one == name),
        _ => false,
    };
    here || ["anyOf", "oneOf"]
        .iter()
        .filter_map(|key| schema.get(*key)?.as_array())
        .flatten()
        .any(|part| allows(part, name))
}

fn find<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    schema.get(key).or_else(|| schema.get("anyOf")?.as_array()?.iter().find_map(|part| part.get(key)))
}
