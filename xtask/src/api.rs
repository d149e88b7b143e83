//! `bindings/api.txt`: every exported signature, sorted, so that a change of the API shows in a review.

use std::fmt::Write;
use uniffi_bindgen::ComponentInterface;
use uniffi_bindgen::interface::{
    Argument, AsType, Constructor, DefaultValue, Enum, Field, Function, Literal, Method, Object, Record, Type,
    UniffiTrait,
};

const HEADER: &str = "\
# Every exported signature, as UniFFI sees it. Written by `cargo xtask generate`; `cargo xtask check` fails when it differs.
# `bytes` is owned bytes, `&bytes` a borrowed slice. Names with `raw_` or `Raw` are for Python; Kotlin has `RawLane`, too.
";

/// The text of the file.
pub fn render(interface: &ComponentInterface) -> String {
    let mut items = Vec::new();
    items.extend(interface.function_definitions().iter().map(function));
    items.extend(interface.object_definitions().iter().map(object));
    items.extend(interface.record_definitions().iter().map(record));
    items.extend(
        interface.enum_definitions().iter().map(|item| enumeration(item, interface.is_name_used_as_error(item.name()))),
    );
    for item in interface.callback_interface_definitions() {
        items.push(block(format!("callback {}", item.name()), item.methods().into_iter().map(method).collect()));
    }
    items.sort();
    HEADER.to_owned() + &items.concat()
}

/// What only Python gets: functions `raw_*`, methods `Type.raw_*`, types `Raw*`. Kotlin and Swift leave these out.
pub fn raw_names(interface: &ComponentInterface) -> Vec<String> {
    let mut names = Vec::new();
    let functions = interface.function_definitions().iter().map(|item| item.name().to_owned());
    names.extend(functions.filter(|name| name.starts_with("raw_")));
    for item in interface.object_definitions() {
        let members = item.methods().into_iter().map(Method::name);
        let members = members.chain(item.constructors().into_iter().map(Constructor::name));
        names.extend(members.filter(|name| name.starts_with("raw_")).map(|name| format!("{}.{name}", item.name())));
    }
    let types = interface.object_definitions().iter().map(|item| item.name().to_owned());
    let types = types.chain(interface.record_definitions().iter().map(|item| item.name().to_owned()));
    let types = types.chain(interface.enum_definitions().iter().map(|item| item.name().to_owned()));
    names.extend(types.filter(|name| name.starts_with("Raw")));
    names.sort();
    names
}

fn block(head: String, mut members: Vec<String>) -> String {
    members.sort();
    let mut text = head + "\n";
    for member in members {
        let _ = writeln!(text, "    {member}");
    }
    text
}

fn function(item: &Function) -> String {
    let signature = signature(item.name(), &item.arguments(), item.return_type(), item.throws_type());
    format!("{}fn {signature}\n", asynchronous(item.is_async()))
}

fn object(item: &Object) -> String {
    let mut members: Vec<String> = item.methods().into_iter().map(method).collect();
    members.extend(item.constructors().into_iter().map(constructor));
    members.extend(item.uniffi_traits().into_iter().map(|one| format!("trait {}", trait_name(one))));
    let kind = if item.is_trait_interface() { "trait" } else { "object" };
    block(format!("{kind} {}", item.name()), members)
}

fn record(item: &Record) -> String {
    // The order of the fields is part of the wire format: not sorted.
    let mut text = format!("record {}\n", item.name());
    for one in item.fields() {
        let _ = writeln!(text, "    {}", field(one));
    }
    for one in item.methods() {
        let _ = writeln!(text, "    {}", method(one));
    }
    text
}

fn enumeration(item: &Enum, is_error: bool) -> String {
    let mut text = format!("{} {}\n", if is_error { "error" } else { "enum" }, item.name());
    for variant in item.variants() {
        let fields: Vec<String> = variant.fields().iter().map(field).collect();
        let fields = if fields.is_empty() { String::new() } else { format!(" {{ {} }}", fields.join(", ")) };
        let _ = writeln!(text, "    {}{fields}", variant.name());
    }
    for one in item.methods() {
        let _ = writeln!(text, "    {}", method(one));
    }
    text
}

fn constructor(item: &Constructor) -> String {
    let signature = signature(item.name(), &item.arguments(), None, item.throws_type());
    format!("{}constructor {signature}", asynchronous(item.is_async()))
}

fn method(item: &Method) -> String {
    let signature = signature(item.name(), &item.arguments(), item.return_type(), item.throws_type());
    format!("{}fn {signature}", asynchronous(item.is_async()))
}

fn asynchronous(yes: bool) -> &'static str {
    if yes { "async " } else { "" }
}

fn signature(name: &str, arguments: &[&Argument], returns: Option<&Type>, throws: Option<&Type>) -> String {
    let arguments: Vec<String> = arguments.iter().map(|one| argument(one)).collect();
    let returns = returns.map(|one| format!(" -> {}", type_name(one))).unwrap_or_default();
    let throws = throws.map(|one| format!(" throws {}", type_name(one))).unwrap_or_default();
    format!("{name}({}){returns}{throws}", arguments.join(", "))
}

fn argument(item: &Argument) -> String {
    let reference = if item.by_ref() { "&" } else { "" };
    format!("{}: {reference}{}{}", item.name(), type_name(&item.as_type()), default(item.default_value()))
}

fn field(item: &Field) -> String {
    format!("{}: {}{}", item.name(), type_name(&item.as_type()), default(item.default_value()))
}

fn default(value: Option<&DefaultValue>) -> String {
    match value {
        None => String::new(),
        Some(DefaultValue::Default) => " = default".to_owned(),
        Some(DefaultValue::Literal(literal)) => format!(" = {}", literal_text(literal)),
    }
}

fn literal_text(literal: &Literal) -> String {
    match literal {
        Literal::Boolean(value) => value.to_string(),
        Literal::String(value) => format!("{value:?}"),
        Literal::UInt(value, ..) => value.to_string(),
        Literal::Int(value, ..) => value.to_string(),
        Literal::Float(value, _) | Literal::Enum(value, _) => value.clone(),
        Literal::EmptySequence => "[]".to_owned(),
        Literal::EmptyMap | Literal::EmptySet => "{}".to_owned(),
        Literal::None => "none".to_owned(),
        Literal::Some { inner } => default(Some(inner)).trim_start_matches(" = ").to_owned(),
    }
}

fn trait_name(item: &UniffiTrait) -> &'static str {
    match item {
        UniffiTrait::Debug { .. } => "Debug",
        UniffiTrait::Display { .. } => "Display",
        UniffiTrait::Eq { .. } => "Eq",
        UniffiTrait::Hash { .. } => "Hash",
        UniffiTrait::Ord { .. } => "Ord",
    }
}

fn type_name(item: &Type) -> String {
    let name = match item {
        Type::UInt8 => "u8",
        Type::Int8 => "i8",
        Type::UInt16 => "u16",
        Type::Int16 => "i16",
        Type::UInt32 => "u32",
        Type::Int32 => "i32",
        Type::UInt64 => "u64",
        Type::Int64 => "i64",
        Type::Float32 => "f32",
        Type::Float64 => "f64",
        Type::Boolean => "bool",
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Timestamp => "timestamp",
        Type::Duration => "duration",
        Type::Optional { inner_type } => return format!("{}?", type_name(inner_type)),
        Type::Sequence { inner_type } => return format!("[{}]", type_name(inner_type)),
        Type::Set { inner_type } => return format!("{{{}}}", type_name(inner_type)),
        Type::Map { key_type, value_type } => return format!("{{{}: {}}}", type_name(key_type), type_name(value_type)),
        Type::Box { inner_type } => return type_name(inner_type),
        named => named.name().unwrap_or("unknown"),
    };
    name.to_owned()
}
