//! The kinds of values that config keys take: durations, sizes, addresses, patterns and so on.
//!
//! Each function reads one YAML value and says, where it is wrong, what would be right. Nothing here knows which key
//! it reads for or where the value stands.

use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;
use encoding_rs::Encoding;
use url::Url;

use crate::article::{Field, Noise};
use crate::config::near;
use crate::entry::{Format, Key, Kind, Mix, Segment};
use crate::rendition::Coding;
use crate::server::{Address, Proxies};
use crate::yaml::{self, Value};

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Lower case, names the offending text and what is expected.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// The part of the value that is wrong, as it stands in the text; the whole value where it is `None`.
    pub part: Option<String>,
}

impl Wrong {
    /// A value that is not what was expected.
    pub fn expected(what: &str, value: &Value) -> Wrong {
        let found = match value {
            Value::Scalar(scalar) => format!("`{}`", scalar.text),
            other => other.kind_name().to_owned(),
        };
        Wrong {
            message: format!("expected {what}, found {found}"),
            help: None,
            part: value.as_str().filter(|text| !text.is_empty()).map(str::to_owned),
        }
    }

    /// The same with advice.
    pub fn help(mut self, help: impl Into<String>) -> Wrong {
        self.help = Some(help.into());
        self
    }
}

/// A value as read, or everything that is wrong with it.
pub type Read<T> = Result<T, Vec<Wrong>>;

fn wrong<T>(wrong: Wrong) -> Read<T> {
    Err(vec![wrong])
}

/// Null as `None`.
pub fn optional<T>(value: &Value, read: impl FnOnce(&Value) -> Read<T>) -> Read<Option<T>> {
    if value.is_null() { Ok(None) } else { read(value).map(Some) }
}

/// A text that is not empty.
pub fn text(value: &Value) -> Read<String> {
    match value.as_str() {
        Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
        _ => wrong(Wrong::expected("a text", value)),
    }
}

/// A path as written.
pub fn path(value: &Value) -> Read<PathBuf> {
    match value.as_str() {
        Some(text) if !text.is_empty() && !text.contains('\0') => Ok(PathBuf::from(text)),
        _ => wrong(Wrong::expected("a path", value)),
    }
}

/// `true` or `false`.
pub fn flag(value: &Value) -> Read<bool> {
    value.as_bool().ok_or_else(|| vec![Wrong::expected("true or false", value)])
}

/// A whole number from 1.
pub fn count(value: &Value) -> Read<usize> {
    match value.as_str().and_then(|text| text.parse::<u32>().ok()) {
        Some(number) if number > 0 => Ok(number as usize),
        _ => wrong(Wrong::expected("a whole number from 1", value)),
    }
}

/// One of a few words. `true` and `false` are taken for `on` and `off`, which some YAML writers make of them.
pub fn choice<T: Copy>(value: &Value, words: &[(&str, T)]) -> Read<T> {
    let written = match value {
        Value::Scalar(yaml::Scalar { kind: yaml::Kind::Bool(true), .. }) => "on",
        Value::Scalar(yaml::Scalar { kind: yaml::Kind::Bool(false), .. }) => "off",
        value => value.as_str().unwrap_or_default(),
    };
    if let Some((_, meant)) = words.iter().find(|(word, _)| *word == written) {
        return Ok(*meant);
    }
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    wrong(misspelt(Wrong::expected(&one_of(&names), value), written, &names))
}

/// `200ms`, `60s`, `10m`, `2h`, `7d`, or several of these in a row.
pub fn duration(value: &Value) -> Read<Duration> {
    value
        .as_str()
        .and_then(parse_duration)
        .ok_or_else(|| vec![Wrong::expected("a duration such as 200ms, 60s, 10m, 2h or 7d", value)])
}

/// A duration that is not zero.
pub fn positive(value: &Value) -> Read<Duration> {
    match duration(value)? {
        Duration::ZERO => wrong(Wrong::expected("a duration greater than zero", value)),
        long => Ok(long),
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let millis = match &rest[..unit] {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_millis(number.checked_mul(millis)?))?;
        rest = &rest[unit..];
    }
    // Sums of times must stay in the range of the calendar.
    (!text.is_empty() && total <= Duration::from_secs(100 * 366 * 86_400)).then_some(total)
}

/// Bytes: `8MiB`, `512KiB`, `1GiB`, `2MB`, or a number.
pub fn size(value: &Value) -> Read<u64> {
    let parse = |text: &str| {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..digits].parse().ok()?;
        let unit: u64 = match text[digits..].trim_start().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            _ => return None,
        };
        number.checked_mul(unit).filter(|&bytes| bytes > 0 && i64::try_from(bytes).is_ok())
    };
    value.as_str().and_then(parse).ok_or_else(|| vec![Wrong::expected("a size such as 512KiB, 8MiB or 1GiB", value)])
}

/// `HOST:PORT` or `unix:/PATH`.
pub fn address(value: &Value) -> Read<Address> {
    let parse = |text: &str| {
        if let Some(path) = text.strip_prefix("unix:") {
            return path.starts_with('/').then(|| Address::Unix(PathBuf::from(path)));
        }
        let (host, port) = text.rsplit_once(':')?;
        port.parse::<u16>().ok().filter(|_| port.bytes().all(|b| b.is_ascii_digit()))?;
        let plain = !host.is_empty() && !host.contains([':', '/', ' ', '[', ']', '@']);
        let v6 = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let fits = plain || v6.is_some_and(|h| h.parse::<std::net::Ipv6Addr>().is_ok());
        fits.then(|| Address::Tcp(text.to_owned()))
    };
    value
        .as_str()
        .and_then(parse)
        .ok_or_else(|| vec![Wrong::expected("an address such as 127.0.0.1:8080, [::1]:8080 or unix:/PATH", value)])
}

/// An address, or `off` as `None`.
pub fn address_or_off(value: &Value) -> Read<Option<Address>> {
    if value.as_str() == Some("off") || value.as_bool() == Some(false) {
        return Ok(None);
    }
    address(value).map(Some).map_err(|_| vec![Wrong::expected("an address such as 127.0.0.1:8081, or off", value)])
}

/// Addresses and networks of proxies, and `unix`.
pub fn proxies(value: &Value) -> Read<Proxies> {
    let mut proxies = Proxies::default();
    each(value, |item| match item.as_str() {
        Some(text) if proxies.add(text) => Ok(()),
        _ => wrong(Wrong::expected("an address, a network such as 10.0.0.0/8, or unix", item)),
    })?;
    Ok(proxies)
}

/// An http or https URL of a document.
fn web_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let fits = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    fits.then_some(url)
}

/// The start of addresses: absolute http(s), without query and fragment; given back without a slash at the end.
pub fn base_url(value: &Value) -> Read<String> {
    let parse = |text: &str| {
        let url = web_url(text).filter(|url| url.query().is_none())?;
        Some(url.as_str().trim_end_matches('/').to_owned())
    };
    value.as_str().and_then(parse).ok_or_else(|| {
        vec![Wrong::expected("an http or https URL such as https://news.example, without query or fragment", value)]
    })
}

/// Addresses of hubs, each once.
pub fn hubs(value: &Value) -> Read<Vec<Url>> {
    let hub = |item: &Value| {
        let hub = item.as_str().and_then(web_url);
        hub.ok_or_else(|| vec![Wrong::expected("an http or https URL such as https://hub.example/", item)])
    };
    each(value, hub).map(once)
}

/// A language tag (BCP 47).
pub fn language(value: &Value) -> Read<String> {
    let fits = |text: &str| {
        let mut parts = text.split('-');
        let first = parts.next().unwrap_or_default();
        (2..=8).contains(&first.len())
            && first.bytes().all(|b| b.is_ascii_alphabetic())
            && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    match value.as_str() {
        Some(text) if fits(text) => Ok(text.to_owned()),
        _ => wrong(Wrong::expected("a language tag such as en, zh-CN or pt-BR", value)),
    }
}

/// A name of the time zone database.
pub fn timezone(value: &Value) -> Read<Tz> {
    let written = value.as_str().unwrap_or_default();
    if let Ok(zone) = written.parse::<Tz>() {
        return Ok(zone);
    }
    let names: Vec<&str> = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
    wrong(misspelt(Wrong::expected("a time zone such as UTC or Asia/Shanghai", value), written, &names))
}

/// A label of the encoding standard, or `auto` as `None`.
pub fn charset(value: &Value) -> Read<Option<&'static Encoding>> {
    let written = value.as_str().unwrap_or_default();
    if written == "auto" {
        return Ok(None);
    }
    match Encoding::for_label_no_replacement(written.as_bytes()) {
        Some(encoding) => Ok(Some(encoding)),
        None => {
            let labels = ["auto", "utf-8", "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr", "windows-1252"];
            let wrong = Wrong::expected("auto or an encoding's label such as gbk, big5 or windows-1252", value);
            Err(vec![misspelt(wrong, written, &labels)])
        }
    }
}

/// The items of a list; a lone text is a list of one.
fn items(value: &Value) -> Read<&[Value]> {
    match value {
        Value::List(items) => Ok(items),
        Value::Scalar(_) => Ok(std::slice::from_ref(value)),
        _ => wrong(Wrong::expected("a list", value)),
    }
}

/// Reads every item and reports every wrong one.
fn each<T>(value: &Value, mut read: impl FnMut(&Value) -> Read<T>) -> Read<Vec<T>> {
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for item in items(value)? {
        match read(item) {
            Ok(item) => good.push(item),
            Err(wrong) => bad.extend(wrong),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

/// Patterns of file names.
pub fn globs(value: &Value) -> Read<Vec<String>> {
    each(value, |item| {
        let pattern = text(item)?;
        match globset::GlobBuilder::new(&pattern).literal_separator(true).build() {
            Ok(_) => Ok(pattern),
            Err(error) => wrong(Wrong {
                message: format!("`{pattern}` is not a pattern: {}", error.kind()),
                help: Some("write it like \"**/*.md\" or \"drafts/**\"".to_owned()),
                part: Some(pattern),
            }),
        }
    })
}

/// Feed formats, at least one, each once.
pub fn formats(value: &Value) -> Read<Vec<Format>> {
    let words = Format::ALL.map(|format| (format.as_str(), format));
    let formats = once(each(value, |item| choice(item, &words))?);
    if formats.is_empty() { wrong(Wrong::expected("at least one of rss, atom, json", value)) } else { Ok(formats) }
}

/// Content codings, each once.
pub fn codings(value: &Value) -> Read<Vec<Coding>> {
    let words = [Coding::Gzip, Coding::Brotli, Coding::Zstd].map(|coding| (coding.as_str(), coding));
    each(value, |item| choice(item, &words)).map(once)
}

/// Kinds of feeds, each once.
pub fn kinds(value: &Value, of: &[Kind]) -> Read<Vec<Kind>> {
    let words: Vec<_> = of.iter().map(|kind| (kind.as_str(), *kind)).collect();
    each(value, |item| choice(item, &words)).map(once)
}

fn once<T: PartialEq>(items: Vec<T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

/// The fields that `articles.fields` and `articles.ignore_changes` may name.
pub const FIELDS: [(&str, Field); 15] = [
    ("title", Field::Title),
    ("published", Field::Published),
    ("updated", Field::Updated),
    ("summary", Field::Summary),
    ("image", Field::Image),
    ("author", Field::Author),
    ("link", Field::Link),
    ("categories", Field::Categories),
    ("tags", Field::Tags),
    ("language", Field::Language),
    ("draft", Field::Draft),
    ("expiry", Field::Expiry),
    ("id", Field::Id),
    ("slug", Field::Slug),
    ("media", Field::Media),
];

/// A field's name in the contract.
pub fn field_name(field: Field) -> &'static str {
    FIELDS.iter().find(|(_, other)| *other == field).map_or("", |(name, _)| name)
}

/// `{ title: [headline, subject] }`.
pub fn fields(value: &Value) -> Read<std::collections::BTreeMap<Field, Vec<String>>> {
    let Some(entries) = value.as_map() else {
        return wrong(Wrong::expected("a mapping such as { title: [headline, subject] }", value));
    };
    let mut fields = std::collections::BTreeMap::new();
    let mut bad = Vec::new();
    for entry in entries {
        match choice(&Value::text(&entry.key), &FIELDS) {
            Ok(field) => match each(&entry.value, text) {
                Ok(keys) => drop(fields.insert(field, keys)),
                Err(wrong) => bad.extend(wrong),
            },
            Err(wrong) => bad.extend(wrong),
        }
    }
    if bad.is_empty() { Ok(fields) } else { Err(bad) }
}

/// `default`, `FIELD`, `FIELD=REGEX` or `body=REGEX`.
pub fn noise(value: &Value) -> Read<Vec<Noise>> {
    each(value, |item| {
        let rule = text(item)?;
        if rule == "default" {
            return Ok(Noise::Default);
        }
        let Some((name, pattern)) = rule.split_once('=') else {
            let words: Vec<_> = [("default", None)].into_iter().chain(FIELDS.map(|(n, f)| (n, Some(f)))).collect();
            if rule == "body" {
                let wrong = Wrong::expected("`body=REGEX`", item);
                return Err(vec![wrong.help("a whole body cannot be ignored; say which part of it")]);
            }
            return Ok(choice(item, &words)?.map_or(Noise::Default, Noise::Field));
        };
        let words: Vec<_> = [("body", None)].into_iter().chain(FIELDS.map(|(n, f)| (n, Some(f)))).collect();
        let field = choice(&Value::text(name), &words)?;
        match regex::Regex::new(pattern) {
            Ok(regex) => Ok(Noise::Pattern(field, regex)),
            Err(error) => wrong(Wrong {
                message: format!("`{pattern}` is not a regular expression: {}", last_line(&error.to_string())),
                help: None,
                part: Some(pattern.to_owned()),
            }),
        }
    })
}

fn last_line(text: &str) -> &str {
    let line = text.lines().last().unwrap_or(text);
    line.strip_prefix("error: ").unwrap_or(line)
}

/// The address of articles with `{year}`, `{month}`, `{day}`, `{slug}`, `{stem}`, `{dir}`.
pub fn link(value: &Value) -> Read<String> {
    const NAMES: [&str; 6] = ["year", "month", "day", "slug", "stem", "dir"];
    let template = text(value)?;
    let mut filled = String::new();
    let mut rest = template.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let name = after.split_once('}').map(|(name, _)| name);
        let Some(name) = name.filter(|name| NAMES.contains(name)) else {
            let part = name.map_or_else(|| format!("{{{after}"), |name| format!("{{{name}}}"));
            let message = format!("`{part}` is not one of {{{}}}", NAMES.join("}, {"));
            let wrong = Wrong { message, help: None, part: Some(part) };
            return Err(vec![misspelt(wrong, name.unwrap_or_default(), &NAMES)]);
        };
        filled.push_str(before);
        filled.push('1');
        rest = &after[name.len() + 1..];
    }
    filled.push_str(rest);
    match Url::parse(&filled) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(template),
        _ => wrong(Wrong::expected("an http or https URL such as https://blog.example/{year}/{slug}/", value)),
    }
}

/// The keys of one mix.
const MIX_KEYS: [&str; 5] = ["name", "title", "any", "all", "none"];

/// `[{ name: finance, any: [category/金融, tag/finance] }]`.
pub fn mixes(value: &Value) -> Read<Vec<Mix>> {
    let mixes = each(value, mix)?;
    for (at, mix) in mixes.iter().enumerate() {
        if mixes[..at].iter().any(|other| other.name == mix.name) {
            return wrong(Wrong {
                message: format!("two mixes are called `{}`", mix.name),
                help: None,
                part: Some(mix.name.as_str().to_owned()),
            });
        }
    }
    Ok(mixes)
}

fn mix(value: &Value) -> Read<Mix> {
    let Some(entries) = value.as_map() else {
        return wrong(Wrong::expected("a mix such as { name: finance, any: [category/finance] }", value));
    };
    let mut bad: Vec<Wrong> = entries
        .iter()
        .filter(|entry| !MIX_KEYS.contains(&entry.key.as_str()))
        .map(|entry| Wrong {
            message: format!("a mix has no key `{}`", entry.key),
            help: near::nearest(&entry.key, MIX_KEYS).map(|name| format!("did you mean `{name}`?")),
            part: Some(entry.key.clone()),
        })
        .collect();
    let mut keep = |read: Read<Vec<Key>>| {
        read.unwrap_or_else(|wrong| {
            bad.extend(wrong);
            Vec::new()
        })
    };
    let list = |name: &str| value.get(name).filter(|v| !v.is_null()).map_or(Ok(Vec::new()), |v| each(v, mix_key));
    let (any, all, none) = (keep(list("any")), keep(list("all")), keep(list("none")));
    let title = optional(value.get("title").unwrap_or(&Value::Null), text);
    let name = match value.get("name").and_then(Value::as_str).and_then(Segment::new) {
        Some(name) => Ok(name),
        None => wrong(Wrong { message: "a mix needs a `name`".to_owned(), help: None, part: None }),
    };
    match (name, title) {
        (Ok(name), Ok(title)) if bad.is_empty() => Ok(Mix { name, title, any, all, none }),
        (name, title) => {
            bad.extend(name.err().unwrap_or_default());
            bad.extend(title.err().unwrap_or_default());
            Err(bad)
        }
    }
}

fn mix_key(value: &Value) -> Read<Key> {
    let written = value.as_str().unwrap_or_default();
    match Key::parse(written) {
        Some(key) if key.kind() == Kind::Mix => wrong(Wrong {
            message: format!("a mix may not name a mix: `{written}`"),
            help: Some("name the keys of that mix instead".to_owned()),
            part: Some(written.to_owned()),
        }),
        Some(key) => Ok(key),
        None => {
            let expected = Wrong::expected("a key such as all, category/金融 or tag/finance", value);
            let kinds = Kind::ALL.map(Kind::as_str);
            let (kind, rest) = written.split_once('/').unwrap_or((written, ""));
            let near = near::nearest(kind, kinds).filter(|near| *near != kind && !rest.is_empty());
            Err(vec![match near {
                Some(near) => expected.help(format!("did you mean `{near}/{rest}`?")),
                None => expected,
            }])
        }
    }
}

fn one_of(words: &[&str]) -> String {
    match words {
        [one] => (*one).to_owned(),
        [head @ .., last] => format!("{} or {last}", head.join(", ")),
        [] => "nothing".to_owned(),
    }
}

/// Adds the nearest word where there is a near one.
fn misspelt(wrong: Wrong, written: &str, words: &[&str]) -> Wrong {
    match near::near(written, words.iter().copied()) {
        Some(word) => wrong.help(format!("did you mean `{word}`?")),
        None => wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        let document = yaml::parse(&format!("v: {text}\nw: &w 1\n")).expect("a document");
        document.get("v").expect("a value").clone()
    }

    #[test]
    fn durations() {
        for (text, millis) in
            [("200ms", 200), ("60s", 60_000), ("10m", 600_000), ("1h30m", 5_400_000), ("0", 0), ("0s", 0)]
        {
            assert_eq!(duration(&value(text)), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["10", "10 m", "m", "1.5h", "-1s", "1w", "[1s]", "999999999999999999h", "\"\""] {
            assert!(duration(&value(text)).is_err(), "{text}");
        }
        assert!(positive(&value("0s")).is_err());
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("8MiB", 8 << 20), ("512KiB", 512 << 10), ("1 GiB", 1 << 30), ("100", 100), ("2MB", 2_000_000)]
        {
            assert_eq!(size(&value(text)), Ok(bytes), "{text}");
        }
        for text in ["0", "8 apples", "-1", "99999999999GiB", "1.5MiB"] {
            assert!(size(&value(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses() {
        for text in ["127.0.0.1:8080", "localhost:0", "[::1]:80", "0.0.0.0:65535"] {
            assert!(matches!(address(&Value::text(text)), Ok(Address::Tcp(_))), "{text}");
        }
        for text in ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "unix"] {
            assert!(proxies(&value(text)).is_ok(), "{text}");
        }
        for text in ["10.0.0.0/40", "proxy.example", "unix:/run/f.sock"] {
            let wrong = proxies(&value(text)).expect_err(text);
            assert_eq!(wrong[0].part.as_deref(), Some(text));
        }
        assert_eq!(address(&value("unix:/run/f.sock")), Ok(Address::Unix(PathBuf::from("/run/f.sock"))));
        for text in ["8080", ":8080", "host:99999", "host:", "unix:f.sock", "http://h:1", "::1:80", "h:+1", "off"] {
            assert!(address(&Value::text(text)).is_err(), "{text}");
        }
        assert_eq!(address_or_off(&value("off")), Ok(None));
        assert_eq!(address_or_off(&value("false")), Ok(None));
    }

    #[test]
    fn base_urls_lose_their_last_slash() {
        assert_eq!(base_url(&value("https://a.example/x/")), Ok("https://a.example/x".to_owned()));
        for text in ["a.example", "ftp://a.example", "https://a.example/?q=1", "https://u:p@a.example", "https://a/#f"]
        {
            assert!(base_url(&value(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn misspelt_words_name_the_nearest() {
        let help = |wrong: Vec<Wrong>| wrong[0].help.clone().unwrap_or_default();
        assert!(help(timezone(&value("Asia/Shanghia")).unwrap_err()).contains("Asia/Shanghai"));
        assert!(help(formats(&value("[rss, atm]")).unwrap_err()).contains("`atom`"));
        assert!(help(noise(&value("[imge]")).err().unwrap_or_default()).contains("`image`"));
        assert!(help(mixes(&value("[{ name: a, any: [categroy/x] }]")).unwrap_err()).contains("category/x"));
    }

    #[test]
    fn every_wrong_item_is_reported() {
        assert_eq!(globs(&value(r#"["a[", "b", "{c"]"#)).unwrap_err().len(), 2);
        assert_eq!(mixes(&value("[{ nam: a, any: [mix/b, x] }]")).unwrap_err().len(), 4);
    }

    #[test]
    fn rules_of_noise() {
        let rules = noise(&value(r#"[default, image, "body=\\?r=\\d+"]"#)).expect("rules");
        assert!(matches!(rules[..], [Noise::Default, Noise::Field(Field::Image), Noise::Pattern(None, _)]));
        for text in ["[body]", "[\"image=(\"]", "[\"nothing=x\"]"] {
            assert!(noise(&value(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn links_know_their_placeholders() {
        assert!(link(&value("\"https://b.example/{year}/{month}/{day}/{slug}/\"")).is_ok());
        for text in ["\"https://b.example/{yaer}/\"", "\"{dir}/x\"", "\"https://b.example/{slug\""] {
            assert!(link(&value(text)).is_err(), "{text}");
        }
    }
}
