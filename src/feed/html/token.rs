//! HTML as a row of tokens: text, start tags with their attributes, end tags, and elements whose content is no markup.
//!
//! It follows the tokeniser of the HTML standard closely enough to find what an author meant. Nothing relies on it
//! for safety: what is written from its tokens is written anew, and the sanitiser reads that.

/// A piece of HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::feed) enum Token<'a> {
    /// Text with its character references.
    Text(&'a str),
    /// A start tag; the name as written.
    Start(&'a str, Attributes<'a>),
    /// An end tag; the name as written.
    End(&'a str),
    /// A whole element whose content is not markup: name, attributes, content.
    Raw(&'a str, Attributes<'a>, &'a str),
}

/// Elements whose content is not markup.
const RAW: [&str; 9] = ["iframe", "noembed", "noframes", "plaintext", "script", "style", "textarea", "title", "xmp"];

/// The tokens of a text. Comments, doctypes and processing instructions are passed over.
#[derive(Clone, Debug)]
pub(in crate::feed) struct Tokens<'a> {
    source: &'a str,
    at: usize,
    /// A tag that never ended was seen: the rest is text, and is not searched for tags again and again.
    only_text: bool,
}

impl<'a> Tokens<'a> {
    /// The tokens of a text.
    pub(in crate::feed) fn new(source: &'a str) -> Tokens<'a> {
        Tokens { source, at: 0, only_text: false }
    }

    /// A tag, a comment or the like at `at`, where a `<` stands. `None`: it is text.
    fn markup(&mut self, at: usize) -> Option<Markup<'a>> {
        let rest = &self.source[at..];
        match rest.as_bytes().get(1)? {
            b'!' if rest.starts_with("<!--") => Some(Markup::Nothing(at + comment(rest))),
            b'!' => Some(Markup::Nothing(at + declaration(rest))),
            b'?' => Some(Markup::Nothing(at + instruction(rest))),
            b'/' => match rest.as_bytes().get(2)? {
                c if c.is_ascii_alphabetic() => {
                    let (name, _, end) = self.tag(at + 2)?;
                    Some(Markup::Token(Token::End(name), end))
                }
                b'>' => Some(Markup::Nothing(at + 3)),
                _ => Some(Markup::Nothing(at + rest.find('>').map_or(rest.len(), |end| end + 1))),
            },
            c if c.is_ascii_alphabetic() => {
                let (name, attributes, end) = self.tag(at + 1)?;
                let raw = RAW.iter().find(|raw| raw.eq_ignore_ascii_case(name));
                let Some(&raw) = raw else { return Some(Markup::Token(Token::Start(name, attributes), end)) };
                let (content, end) = self.raw(raw, end);
                Some(Markup::Token(Token::Raw(name, attributes, content), end))
            }
            _ => None,
        }
    }

    /// The name, the attributes and the end of the tag whose name starts at `start`. `None`: it never ends.
    fn tag(&self, start: usize) -> Option<(&'a str, Attributes<'a>, usize)> {
        let bytes = self.source.as_bytes();
        let name_end =
            (start..bytes.len()).find(|&i| bytes[i].is_ascii_whitespace() || matches!(bytes[i], b'/' | b'>'))?;
        let mut attributes = Attributes { source: &self.source[name_end..] };
        while attributes.next_raw()?.is_some() {}
        let end = self.source.len() - attributes.source.len();
        let held = Attributes { source: &self.source[name_end..end] };
        Some((&self.source[start..name_end], held, end))
    }

    /// The content of a raw element that starts at `start`, and where the element ends.
    fn raw(&self, name: &str, start: usize) -> (&'a str, usize) {
        let rest = &self.source[start..];
        let mut from = 0;
        while name != "plaintext"
            && let Some(found) = rest[from..].find("</")
        {
            let close = from + found;
            let after = &rest.as_bytes()[close + 2..];
            let ends = after.len() >= name.len()
                && after[..name.len()].eq_ignore_ascii_case(name.as_bytes())
                && after.get(name.len()).is_none_or(|&b| b.is_ascii_whitespace() || matches!(b, b'/' | b'>'));
            if ends {
                let end = rest[close..].find('>').map_or(rest.len(), |end| close + end + 1);
                return (&rest[..close], start + end);
            }
            from = close + 2;
        }
        (rest, self.source.len())
    }
}

/// The length of a comment: `<!-->` and `<!--->` are whole ones, and `--!>` ends one too.
fn comment(text: &str) -> usize {
    if text.starts_with("<!-->") {
        return 5;
    }
    if text.starts_with("<!--->") {
        return 6;
    }
    let mut from = 4;
    while let Some(dashes) = text[from..].find("--") {
        let after = from + dashes + 2;
        match text.as_bytes().get(after..) {
            Some([b'>', ..]) => return after + 1,
            Some([b'!', b'>', ..]) => return after + 2,
            // The second dash may be the first of the end.
            _ => from = after - 1,
        }
    }
    text.len()
}

/// The length of a doctype, which may hold declarations of its own, or of another declaration.
fn declaration(text: &str) -> usize {
    let Some(close) = text.find('>') else { return text.len() };
    let doctype = text.get(2..9).is_some_and(|name| name.eq_ignore_ascii_case("doctype"));
    if doctype && text[..close].contains('[') {
        return text.find("]>").map_or(close + 1, |end| end + 2);
    }
    close + 1
}

/// The length of a processing instruction. Code of another language may hold a `>`, so `?>` is looked for first, but
/// not for ever.
fn instruction(text: &str) -> usize {
    let near = &text.as_bytes()[..text.len().min(4096)];
    match near.windows(2).position(|pair| pair == b"?>") {
        Some(end) => end + 2,
        None => text.find('>').map_or(text.len(), |end| end + 1),
    }
}

/// What stands at a `<`.
enum Markup<'a> {
    /// A token and its end.
    Token(Token<'a>, usize),
    /// Something to pass over, and its end.
    Nothing(usize),
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            if self.at >= self.source.len() {
                return None;
            }
            let start = self.at;
            let mut from = start;
            // Text goes on over every `<` that begins nothing.
            while !self.only_text
                && let Some(found) = self.source[from..].find('<')
            {
                let at = from + found;
                let starts_tag = self.source.as_bytes().get(at + 1).is_some_and(|&b| {
                    b.is_ascii_alphabetic() || matches!(b, b'!' | b'?') || b == b'/' && self.source.len() > at + 2
                });
                if !starts_tag {
                    from = at + 1;
                    continue;
                }
                if at > start {
                    self.at = at;
                    return Some(Token::Text(&self.source[start..at]));
                }
                match self.markup(at) {
                    Some(Markup::Token(token, end)) => {
                        self.at = end;
                        return Some(token);
                    }
                    Some(Markup::Nothing(end)) => {
                        self.at = end;
                        break;
                    }
                    None => self.only_text = true,
                }
            }
            if self.at == start {
                self.at = self.source.len();
                return Some(Token::Text(&self.source[start..]));
            }
        }
    }
}

/// The attributes of a tag, names and values as written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::feed) struct Attributes<'a> {
    source: &'a str,
}

impl<'a> Attributes<'a> {
    /// The next attribute. `Some(None)`: the tag ended; `None`: the text did.
    #[allow(clippy::option_option, reason = "an end that is there and an end that is missing are two things")]
    fn next_raw(&mut self) -> Option<Option<(&'a str, &'a str)>> {
        let bytes = self.source.as_bytes();
        let start = (0..bytes.len()).find(|&i| !bytes[i].is_ascii_whitespace() && bytes[i] != b'/')?;
        if bytes[start] == b'>' {
            self.source = &self.source[start + 1..];
            return Some(None);
        }
        // A `=` at the start belongs to the name.
        let name_end = (start + 1..bytes.len())
            .find(|&i| bytes[i].is_ascii_whitespace() || matches!(bytes[i], b'/' | b'>' | b'='))?;
        let name = &self.source[start..name_end];
        let equals = (name_end..bytes.len()).find(|&i| !bytes[i].is_ascii_whitespace())?;
        if bytes[equals] != b'=' {
            self.source = &self.source[name_end..];
            return Some(Some((name, "")));
        }
        let value = (equals + 1..bytes.len()).find(|&i| !bytes[i].is_ascii_whitespace())?;
        let (from, end, next) = match bytes[value] {
            quote @ (b'"' | b'\'') => {
                let end = value + 1 + bytes[value + 1..].iter().position(|&b| b == quote)?;
                (value + 1, end, end + 1)
            }
            b'>' => (value, value, value),
            _ => {
                let end = (value..bytes.len()).find(|&i| bytes[i].is_ascii_whitespace() || bytes[i] == b'>')?;
                (value, end, end)
            }
        };
        let text = &self.source[from..end];
        self.source = &self.source[next..];
        Some(Some((name, text)))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        self.next_raw().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(html: &str) -> String {
        Tokens::new(html)
            .map(|token| match token {
                Token::Text(text) => format!("[{text}]"),
                Token::Start(name, attributes) => {
                    let list: Vec<_> = attributes.map(|(name, value)| format!(" {name}={value}")).collect();
                    format!("<{name}{}>", list.concat())
                }
                Token::End(name) => format!("</{name}>"),
                Token::Raw(name, _, text) => format!("<{name}:{text}>"),
            })
            .collect()
    }

    #[test]
    fn tokens_are_found() {
        for (html, expected) in [
            ("a<b>c</b>", "[a]<b>[c]</b>"),
            ("1 < 2 <3 & 4>5", "[1 < 2 <3 & 4>5]"),
            ("<a href=x title='a b' c d=\"<>\">t</a >", "<a href=x title=a b c= d=<>>[t]</a>"),
            ("<a/href=x/>", "<a href=x/>"),
            ("<img/src/onerror=prompt(8)>", "<img src= onerror=prompt(8)>"),
            ("<br/>x", "<br>[x]"),
            ("a<!-- <b> -->b<!-->c<!--->d", "[a][b][c][d]"),
            ("a<!-- b --!>c", "[a][c]"),
            ("<?php system('>'); ?>x", "[x]"),
            ("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>x", "[x]"),
            ("<![CDATA[five]]>x", "[x]"),
            ("<script>a</b></script >x", "<script:a</b>>[x]"),
            ("<STYLE>a</STYLE>x", "<STYLE:a>[x]"),
            ("<textarea><xmp><plaintext>b", "<textarea:<xmp><plaintext>b>"),
            ("<p>a<b x=\"", "<p>[a][<b x=\"]"),
            ("a</", "[a</]"),
            ("</>x</ y>z", "[x][z]"),
            ("<", "[<]"),
            ("", ""),
        ] {
            assert_eq!(shown(html), expected, "{html}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_text_is_read_to_its_end(html in "[<>/!?=\"' a-c\\-é]{0,40}") {
            let _ = shown(&html);
        }
    }
}
