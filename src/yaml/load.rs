//! The crate's events → [`Value`], with a budget on what aliases unfold to.
//!
//! The crate hands out plain scalars as numbers and truth values and forgets how they were written. Where one occurs
//! the document is read a second time, now asking for the text of just these nodes.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::{Entry, Error, Kind, Scalar, Value};

/// Most nodes of a document, aliases unfolded.
const MAX_NODES: u32 = 20_000;
/// Most bytes of scalars, aliases unfolded.
const MAX_TEXT: usize = 1 << 20;
/// What the visitor says when the budget is spent; told from the crate's own messages by these very words.
const SPENT: &str = "more nodes than any article needs once aliases are unfolded";

/// Reads one document with the crate.
pub(super) fn document(text: &str) -> Result<Value, Error> {
    let budget = Budget { nodes: Cell::new(MAX_NODES), text: Cell::new(MAX_TEXT), typed: Cell::new(false) };
    let mut node = Node { budget: &budget }
        .deserialize(serde_yaml::Deserializer::from_str(text))
        .map_err(|error| translate(&error, text))?;
    if budget.typed.get() {
        Retext(&mut node)
            .deserialize(serde_yaml::Deserializer::from_str(text))
            .map_err(|error| translate(&error, text))?;
    }
    let mut value = node.into_value();
    Lines { lines: text.lines().collect(), misses: 0 }.assign(&mut value, 0);
    Ok(value)
}

/// What may still be spent, and whether a typed scalar was seen.
struct Budget {
    nodes: Cell<u32>,
    text: Cell<usize>,
    typed: Cell<bool>,
}

impl Budget {
    fn spend<E: de::Error>(&self, bytes: usize) -> Result<(), E> {
        match (self.nodes.get().checked_sub(1), self.text.get().checked_sub(bytes)) {
            (Some(nodes), Some(text)) => {
                self.nodes.set(nodes);
                self.text.set(text);
                Ok(())
            }
            _ => Err(E::custom(SPENT)),
        }
    }
}

/// A node as the crate gives it: keys may be anything, typed scalars wait for their text.
enum Raw {
    Null,
    Scalar(Scalar),
    List(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
}

struct Node<'b> {
    budget: &'b Budget,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Raw;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Node<'_> {
    fn typed<E: de::Error>(self, kind: Kind) -> Result<Raw, E> {
        self.budget.spend(0)?;
        self.budget.typed.set(true);
        Ok(Raw::Scalar(Scalar { text: String::new(), kind }))
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
        self.budget.spend(0).map(|()| Raw::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
        self.visit_unit()
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Raw, E> {
        self.typed(Kind::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Raw, E> {
        self.typed(Kind::Number)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Raw, E> {
        self.typed(Kind::Number)
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<Raw, E> {
        self.typed(Kind::Number)
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<Raw, E> {
        self.typed(Kind::Number)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Raw, E> {
        self.typed(Kind::Number)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Raw, E> {
        self.budget.spend(text.len())?;
        Ok(Raw::Scalar(Scalar { text: text.to_owned(), kind: Kind::Text }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        self.budget.spend(0)?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Node { budget: self.budget })? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        self.budget.spend(0)?;
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(Node { budget: self.budget })? {
            entries.push((key, map.next_value_seed(Node { budget: self.budget })?));
        }
        Ok(Raw::Map(entries))
    }

    /// A local tag: the node counts as if it were not there, but a tag on nothing was meant as text (`!important`).
    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Raw, A::Error> {
        let budget = self.budget;
        let (tag, variant) = access.variant_seed(Tag)?;
        match variant.newtype_variant_seed(Node { budget })? {
            Raw::Null if !tag.is_empty() => Ok(Raw::Scalar(Scalar { text: format!("!{tag}"), kind: Kind::Text })),
            node => Ok(node),
        }
    }
}

/// The name of a local tag.
struct Tag;

impl<'de> DeserializeSeed<'de> for Tag {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        de::Deserialize::deserialize(deserializer)
    }
}

/// The second reading: fills in the text of typed scalars. The crate reads the same text the same way, so the shapes
/// agree node by node.
struct Retext<'n>(&'n mut Raw);

impl<'de> DeserializeSeed<'de> for Retext<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0 {
            Raw::Scalar(Scalar { kind: Kind::Bool(_) | Kind::Number, .. }) => deserializer.deserialize_str(self),
            Raw::List(_) => deserializer.deserialize_seq(self),
            Raw::Map(_) => deserializer.deserialize_map(self),
            Raw::Null | Raw::Scalar(_) => deserializer.deserialize_ignored_any(de::IgnoredAny).map(|_| ()),
        }
    }
}

impl<'de> Visitor<'de> for Retext<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the same YAML again")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if let Raw::Scalar(scalar) = self.0 {
            scalar.text = text.to_owned();
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if let Raw::List(items) = self.0 {
            for item in items {
                seq.next_element_seed(Retext(item))?;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if let Raw::Map(entries) = self.0 {
            for (key, value) in entries {
                if map.next_key_seed(Retext(key))?.is_some() {
                    map.next_value_seed(Retext(value))?;
                }
            }
        }
        Ok(())
    }
}

impl Raw {
    fn into_value(self) -> Value {
        match self {
            Raw::Null => Value::Null,
            Raw::Scalar(scalar) => Value::Scalar(scalar),
            Raw::List(items) => Value::List(items.into_iter().map(Raw::into_value).collect()),
            Raw::Map(pairs) => {
                let mut entries = Vec::with_capacity(pairs.len());
                let mut merged = Vec::new();
                for (key, value) in pairs {
                    let key = key.into_key();
                    match value.into_value() {
                        Value::Map(more) if key == "<<" => merged.extend(more),
                        Value::List(maps) if key == "<<" => {
                            merged.extend(maps.into_iter().flat_map(|map| match map {
                                Value::Map(more) => more,
                                _ => Vec::new(),
                            }));
                        }
                        value => entries.push(Entry { key, line: None, value }),
                    }
                }
                // The merge key of YAML 1.1: what the mapping has itself goes first, then the earlier source.
                for entry in merged {
                    if !entries.iter().any(|own| own.key == entry.key) {
                        entries.push(Entry { line: None, ..entry });
                    }
                }
                Value::Map(entries)
            }
        }
    }

    /// The text of a key; of a key that is no scalar, something that no known key is called.
    fn into_key(self) -> String {
        match self {
            Raw::Null => String::new(),
            Raw::Scalar(scalar) => scalar.text,
            Raw::List(items) => format!("[{}]", items.into_iter().map(Raw::into_key).collect::<Vec<_>>().join(", ")),
            Raw::Map(_) => "{}".to_owned(),
        }
    }
}

/// Finds the lines of keys in the text, in document order: the crate does not tell.
struct Lines<'t> {
    lines: Vec<&'t str>,
    misses: u32,
}

impl Lines<'_> {
    /// Gives the keys below `value` their lines, looking from line `from` (counted from 0) on; returns where to go on.
    fn assign(&mut self, value: &mut Value, mut from: usize) -> usize {
        match value {
            Value::Map(entries) => {
                for entry in entries {
                    if let Some(at) = self.find(&entry.key, from) {
                        entry.line = u32::try_from(at + 1).ok();
                        from = at;
                    }
                    from = self.assign(&mut entry.value, from);
                }
                from
            }
            Value::List(items) => items.iter_mut().fold(from, |from, item| self.assign(item, from)),
            Value::Null | Value::Scalar(_) => from,
        }
    }

    fn find(&mut self, key: &str, from: usize) -> Option<usize> {
        // Each miss costs a walk over the rest: a document full of odd keys is not worth it.
        if self.misses > 64 || key.is_empty() {
            return None;
        }
        let found = self.lines.iter().skip(from).position(|line| names(line, key));
        if found.is_none() {
            self.misses += 1;
        }
        found.map(|at| at + from)
    }
}

/// Whether a line begins with this key, quoted or not, in a list item or a flow mapping.
fn names(line: &str, key: &str) -> bool {
    let bare = line.trim_start_matches([' ', '\t', '-', '?', '{', '[', ',', '"', '\'']);
    bare.strip_prefix(key).is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
}

fn translate(error: &serde_yaml::Error, text: &str) -> Error {
    let whole = error.to_string();
    let place = error.location();
    let message = match whole.rfind(" at line ") {
        Some(at) if place.is_some() => &whole[..at],
        _ => &whole,
    };
    let message = message.split(" at line ").next().unwrap_or(message);
    // The crate puts the path of the node first, which in a bomb means nothing.
    let message = if message.ends_with(SPENT) { SPENT } else { message };
    let budget = ["recursion limit exceeded", "repetition limit exceeded", SPENT].iter().any(|m| message.ends_with(m));
    // The crate counts a place past the last line where the text ended too early.
    let last = text.lines().count().max(1);
    let (line, column) = place.map_or((1, 1), |place| (place.line().min(last), place.column()));
    Error { budget, ..Error::syntax(line, column, message.to_lowercase()) }
}
