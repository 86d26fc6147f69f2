//! The config as text: the resolved values with their origins, and the JSON Schema.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value as Json, json};

use super::keys::{self, SETTINGS, Setting, Shape};
use super::{Config, sections};
use crate::yaml::{self, Value};

/// A setting's default as a value.
pub(super) fn default(setting: &Setting) -> Value {
    let document = yaml::parse(&format!("default: {}\n", setting.default));
    document.ok().and_then(|document| document.get("default").cloned()).unwrap_or(Value::Null)
}

/// A value as it is shown: typed where its key is, paths completed.
pub(super) fn shown(shape: Shape, value: &Value, base: &Path) -> Json {
    match (shape, value) {
        (Shape::Path, Value::Scalar(path)) => {
            Json::from(keys::below(base, Path::new(&path.text)).display().to_string())
        }
        (Shape::Words(_) | Shape::Texts, Value::Scalar(_)) => Json::Array(vec![plain(value, false)]),
        (Shape::Count | Shape::Flag, value) => plain(value, true),
        (_, value) => plain(value, false),
    }
}

fn plain(value: &Value, typed: bool) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Scalar(scalar) => match scalar.kind {
            yaml::Kind::Bool(flag) if typed => Json::from(flag),
            yaml::Kind::Number if typed => {
                scalar.text.parse::<i64>().map_or(Json::from(scalar.text.as_str()), Json::from)
            }
            _ => Json::from(scalar.text.as_str()),
        },
        Value::List(items) => items.iter().map(|item| plain(item, typed)).collect(),
        Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), plain(&entry.value, typed))).collect(),
    }
}

/// `{"KEY.PATH":{"value","origin"}}`.
pub fn json(config: &Config) -> Json {
    let rows = config
        .values
        .iter()
        .map(|row| (row.setting.key.to_owned(), json!({ "value": row.value, "origin": row.origin.to_string() })));
    Json::Object(rows.collect())
}

/// A config file that means the same, with the origin of each value as a comment.
pub fn yaml(config: &Config) -> String {
    let mut text = String::new();
    for section in sections() {
        let _ = writeln!(text, "{section}:");
        for row in config.values.iter().filter(|row| row.setting.parts().0 == section) {
            let value = flow(&row.value);
            let _ = writeln!(text, "  {}: {value}  # {}", row.setting.parts().1, row.origin);
        }
    }
    text
}

/// JSON is flow YAML; plain words go without quotes.
fn flow(value: &Json) -> String {
    match value {
        Json::String(text) if is_plain(text) => text.clone(),
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::Object(map) if map.is_empty() => "{}".to_owned(),
        Json::Object(map) => {
            let rows: Vec<_> = map.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{ {} }}", rows.join(", "))
        }
        other => other.to_string(),
    }
}

fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_'))
        && yaml::Value::plain(text) == Value::text(text)
        || text.bytes().next().is_some_and(|b| b.is_ascii_digit())
            && text.bytes().all(|b| b.is_ascii_alphanumeric())
            && yaml::Value::plain(text) == Value::text(text)
}

/// The JSON Schema of config files.
pub fn schema() -> Json {
    let mut properties = Map::new();
    for section in sections() {
        let keys = SETTINGS.iter().filter(|setting| setting.parts().0 == section).map(|setting| {
            let mut row = shape_schema(setting.shape);
            if setting.nullable() {
                row = json!({ "anyOf": [row, { "type": "null" }] });
            }
            row["description"] = Json::from(setting.about);
            row["default"] = shown_default(setting);
            (setting.parts().1.to_owned(), row)
        });
        let keys: Map<String, Json> = keys.collect();
        let section_schema = json!({ "type": ["object", "null"], "additionalProperties": false, "properties": keys });
        properties.insert(section.to_owned(), section_schema);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "feedmill.yaml",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": properties,
    })
}

fn shown_default(setting: &Setting) -> Json {
    let value = default(setting);
    plain(&value, matches!(setting.shape, Shape::Count | Shape::Flag))
}

fn shape_schema(shape: Shape) -> Json {
    let list = |items: Json| json!({ "anyOf": [{ "type": "array", "items": items }, items] });
    let texts = || list(json!({ "type": "string" }));
    match shape {
        // A title may look like a number.
        Shape::Text => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Path => json!({ "type": ["string", "number"] }),
        Shape::Url => json!({ "type": "string", "pattern": "^https?://" }),
        Shape::Duration => {
            json!({ "type": ["string", "integer"], "pattern": "^(0|([0-9]+(ms|s|m|min|h|d))+)$", "maximum": 0 })
        }
        Shape::Size => {
            json!({ "type": ["string", "integer"], "pattern": "^[0-9]+ *([kKmMgG]?[iI]?[bB]?)$", "minimum": 1 })
        }
        Shape::Count => json!({ "type": "integer", "minimum": 1 }),
        Shape::Flag => json!({ "type": "boolean" }),
        // `on` and `off` are truth values in older YAML.
        Shape::Choice(words) if words.contains(&"on") => {
            let words = words.iter().map(|&word| Json::from(word)).chain([Json::from(true), Json::from(false)]);
            json!({ "enum": words.collect::<Vec<_>>() })
        }
        Shape::Choice(words) => json!({ "enum": words }),
        Shape::Words(words) => list(json!({ "enum": words })),
        Shape::Texts => texts(),
        Shape::Fields => {
            let names: Vec<&str> = super::FIELDS.iter().map(|(name, _)| *name).collect();
            json!({ "type": "object", "propertyNames": { "enum": names }, "additionalProperties": texts() })
        }
        Shape::Mixes => {
            let properties = json!({
                "name": { "type": "string" },
                "title": { "type": ["string", "null"] },
                "any": texts(),
                "all": texts(),
                "none": texts(),
            });
            list(json!({
                "type": "object",
                "required": ["name"],
                "additionalProperties": false,
                "properties": properties,
            }))
        }
    }
}
