//! The part of JSON Schema that `docs/stats.schema.json` uses.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Checks a document against a schema of this repository.
///
/// # Panics
/// When it does not fit, with the place; when the schema is no JSON.
pub fn assert_fits(schema: &str, document: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(schema);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let schema: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    if let Err(fault) = check(&schema, document, "$") {
        panic!("{fault} in {document:#}");
    }
}

fn check(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    for (keyword, rule) in schema.as_object().into_iter().flatten() {
        match keyword.as_str() {
            "$schema" | "title" | "description" | "additionalProperties" => {}
            "type" => check_type(rule, value, at)?,
            "enum" => {
                if !list(rule).contains(value) {
                    return Err(format!("{at} is {value}, not one of {rule}"));
                }
            }
            "minimum" => {
                if value.as_f64() < rule.as_f64() && value.is_number() {
                    return Err(format!("{at} is {value}, below {rule}"));
                }
            }
            "required" => check_required(rule, value, at)?,
            "properties" => check_properties(schema, rule, value, at)?,
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(rule, item, &format!("{at}[{index}]"))?;
                }
            }
            other => return Err(format!("the schema says {other}, which this check does not know")),
        }
    }
    Ok(())
}

fn check_type(rule: &Value, value: &Value, at: &str) -> Result<(), String> {
    let is = |name: &Value| match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some("null") => value.is_null(),
        _ => false,
    };
    let fits = if rule.is_array() { list(rule).iter().any(is) } else { is(rule) };
    if fits { Ok(()) } else { Err(format!("{at} is {value}, not of type {rule}")) }
}

fn check_required(rule: &Value, value: &Value, at: &str) -> Result<(), String> {
    let missing = list(rule).iter().filter_map(Value::as_str).find(|name| value.get(name).is_none());
    match missing {
        Some(name) if value.is_object() => Err(format!("{at} has no {name}")),
        _ => Ok(()),
    }
}

fn check_properties(schema: &Value, rule: &Value, value: &Value, at: &str) -> Result<(), String> {
    for (name, part) in value.as_object().into_iter().flatten() {
        match rule.get(name) {
            Some(rule) => check(rule, part, &format!("{at}.{name}"))?,
            None if schema["additionalProperties"] == false => {
                return Err(format!("{at}.{name} is not in the schema"));
            }
            None => {}
        }
    }
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
