//! Template code of blog engines in bodies: Liquid (Jekyll), Nunjucks tags (Hexo), shortcodes (Hugo, Zola), and what
//! exports of WordPress leave of its own.
//!
//! feedmill runs no template. The rule, the same for all engines:
//!
//! - In code (fences, code spans, indented code, `pre`, `code`) nothing is template code.
//! - `raw` and `verbatim`: what is within stands as it is. `highlight`, `codeblock`, `code`, `prism`: a code block.
//! - Pictures (`img`, `asset_img`, `figure`) become pictures, players and gists become links, quotes become quotes.
//! - `{{ "/a.png" | relative_url }}`: the literal. `comment`: nothing, with what is within.
//! - Any other tag is removed, and what stands between two of them stays.
//! - Attribute lists of kramdown (`{: .class}`) are removed, `{:toc}` with the list item that it replaces.
//! - `[caption …]` around a picture and `[gallery …]` are removed.
//!
//! What does not end within a short distance is no tag but text.

mod code;

use std::borrow::Cow;
use std::fmt::Write as _;

use super::text::push_escaped;
use crate::entry::Markup;

/// The longest tag.
const LONGEST: usize = 2000;

/// Resolves the template code of a body.
pub(super) fn resolve(source: &str, markup: Markup) -> Cow<'_, str> {
    if !["{{", "{%", "{:", "[caption ", "[gallery"].iter().any(|open| source.contains(open)) {
        return Cow::Borrowed(source);
    }
    let mut out = String::with_capacity(source.len());
    let mut code = code::Code::new(source, markup);
    let mut blocks = Blocks { source, endless: Vec::new(), quotes: 0 };
    let mut at = 0;
    while at < source.len() {
        // Text up to the next tag or code.
        let next = code.next_from(at);
        out.push_str(&source[at..next.start]);
        at = next.start;
        if next.is_code {
            out.push_str(&source[at..next.end]);
            at = next.end;
            continue;
        }
        match tag(&source[at..]) {
            Some((tag, length)) => at = write(&tag, &mut blocks, at + length, markup, &mut out),
            None if at < source.len() => {
                // Every tag opens with characters of one byte.
                out.push_str(&source[at..next.end]);
                at = next.end;
            }
            None => {}
        }
        code.moved_to(at);
    }
    Cow::Owned(out)
}

/// A tag.
#[derive(Debug, PartialEq, Eq)]
enum Tag<'a> {
    /// `{% name … %}`, `{{< name … >}}`, `{{% name … %}}`, `{{ name(…) }}`.
    Call {
        /// In lower case by convention.
        name: &'a str,
        /// What comes after the name.
        rest: &'a str,
        /// The marks around it.
        open: &'static str,
    },
    /// `{{ "literal" | filter }}`.
    Literal(&'a str),
    /// A shortcode that is shown, not run.
    Shown(String),
    /// `{:toc}`: the list item above it stands for the table of contents.
    Contents,
    /// Something to remove.
    Nothing,
}

/// Whether a shortcode of WordPress stands at the start of a text.
fn is_wordpress(text: &str) -> bool {
    ["[caption ", "[/caption]", "[gallery ", "[gallery]"].iter().any(|open| text.starts_with(open))
}

/// The tag at the start of a text, and its length.
fn tag(text: &str) -> Option<(Tag<'_>, usize)> {
    if is_wordpress(text) {
        return text.find([']', '\n']).filter(|&end| text[end..].starts_with(']')).map(|end| (Tag::Nothing, end + 1));
    }
    if text.starts_with("{:") {
        let length = attribute_list(text)?;
        return Some((
            if text[2..length].trim_start().starts_with("toc") { Tag::Contents } else { Tag::Nothing },
            length,
        ));
    }
    let (open, close) = match text.as_bytes().get(..3)? {
        b"{{<" => ("{{<", ">}}"),
        b"{{%" => ("{{%", "%}}"),
        [b'{', b'{', _] => ("{{", "}}"),
        [b'{', b'%', _] => ("{%", "%}"),
        _ => return None,
    };
    let near = &text[..text.floor_char_boundary(LONGEST)];
    let end = near[open.len()..].find(close)? + open.len();
    let inner = &text[open.len()..end];
    if inner.contains("\n\n") {
        return None;
    }
    let length = end + close.len();
    let inner = inner.trim().trim_start_matches('-').trim_end_matches('-').trim();
    if let Some(shown) = inner.strip_prefix("/*").and_then(|inner| inner.strip_suffix("*/")) {
        return Some(match open {
            "{{" => (Tag::Nothing, length),
            open => (Tag::Shown(format!("{open}{shown}{close}")), length),
        });
    }
    if open == "{{" {
        return Some((expression(inner), length));
    }
    let inner = inner.trim_end_matches('/').trim_end();
    // `{{< / name >}}` ends as `{{< /name >}}` does.
    let name_start = inner.strip_prefix('/').map_or(0, |after| inner.len() - after.trim_start().len());
    let name_end =
        inner[name_start..].find(|c: char| c.is_whitespace() || c == '(').map_or(inner.len(), |end| name_start + end);
    let (name, rest) = inner.split_at(name_end);
    Some((Tag::Call { name, rest: arguments(rest), open }, length))
}

/// What stands between the brackets of a call, if it has any.
fn arguments(rest: &str) -> &str {
    let rest = rest.trim();
    rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(rest)
}

/// What `{{ … }}` gives: a literal that only address filters follow, or a shortcode of Zola.
fn expression(inner: &str) -> Tag<'_> {
    if let Some(quote) = inner.chars().next().filter(|c| matches!(c, '"' | '\''))
        && let Some((literal, filters)) = inner[1..].split_once(quote)
    {
        let known = ["relative_url", "absolute_url", "prepend", "url_for", "absURL", "relURL"];
        let addressed = filters.split('|').skip(1).all(|filter| {
            let name = filter.split([':', ' ']).find(|word| !word.is_empty()).unwrap_or_default();
            known.contains(&name)
        });
        return if addressed { Tag::Literal(literal) } else { Tag::Nothing };
    }
    match inner.find('(').filter(|_| inner.ends_with(')')) {
        Some(at) if inner[..at].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => {
            Tag::Call { name: &inner[..at], rest: arguments(&inner[at..]), open: "{{" }
        }
        _ => Tag::Nothing,
    }
}

/// The length of an attribute list of kramdown: `{: .class #id key="value"}`, `{:toc}`, `{::options /}`.
fn attribute_list(text: &str) -> Option<usize> {
    let end = text.find('}').filter(|&end| end < 200)?;
    let inner = &text[2..end];
    if inner.contains(['\n', '{']) {
        return None;
    }
    let trimmed = inner.trim();
    let known = trimmed.starts_with(['.', '#', ':', '/'])
        || trimmed == "toc"
        || trimmed.starts_with("toc ")
        || trimmed.contains("=\"")
        || trimmed.contains("='");
    known.then_some(end + 1)
}

/// Writes what a tag stands for; the place after it, or after its block.
fn write(tag: &Tag<'_>, blocks: &mut Blocks<'_>, at: usize, markup: Markup, out: &mut String) -> usize {
    let (name, rest, open) = match tag {
        Tag::Nothing => return at,
        Tag::Contents => {
            let item = out.trim_end().rfind('\n').map_or(0, |end| end + 1);
            if out[item..].starts_with(['*', '-', '+']) || out[item..].starts_with("1.") {
                out.truncate(item);
            }
            return at;
        }
        Tag::Literal(text) => {
            out.push_str(text);
            return at;
        }
        Tag::Shown(text) => {
            push_escaped(text, out);
            return at;
        }
        Tag::Call { name, rest, open } => (*name, *rest, *open),
    };
    match name.to_ascii_lowercase().replace(' ', "").as_str() {
        "raw" | "verbatim" => {
            if let Some((content, end)) = blocks.content(at, name, open) {
                out.push_str(content);
                return end;
            }
        }
        "comment" => return blocks.content(at, name, open).map_or(at, |(_, end)| end),
        "highlight" | "codeblock" | "code" | "prism" => {
            if let Some((content, end)) = blocks.content(at, name, open) {
                push_code(language(name, rest), content, markup, out);
                return end;
            }
        }
        "blockquote" | "quote" | "pullquote" => {
            blocks.quotes += 1;
            out.push_str("\n\n<blockquote>\n\n");
        }
        // Zola ends everything alike.
        "endblockquote" | "endquote" | "endpullquote" | "/blockquote" | "/quote" | "/pullquote" | "end"
            if blocks.quotes > 0 =>
        {
            blocks.quotes -= 1;
            out.push_str("\n\n</blockquote>\n\n");
        }
        "img" | "asset_img" | "image" | "figure" | "picture" => push_picture(rest, out),
        known => {
            if let Some(page) = player(known, rest) {
                let mut escaped = String::new();
                push_escaped(&page, &mut escaped);
                // Writing to a string does not fail.
                let _ = write!(out, "<a href=\"{escaped}\">{escaped}</a>");
            }
        }
    }
    at
}

/// Finds the ends of blocks.
struct Blocks<'a> {
    source: &'a str,
    /// Names of blocks that are known to have no more ends: they are not looked for again and again.
    endless: Vec<String>,
    /// Quotes that are open.
    quotes: usize,
}

impl<'a> Blocks<'a> {
    /// The content of a block whose start tag ends at `at`, and where its end tag ends.
    fn content(&mut self, at: usize, name: &str, open: &str) -> Option<(&'a str, usize)> {
        if self.endless.iter().any(|endless| endless == name) {
            return None;
        }
        let rest = &self.source[at..];
        let mut from = 0;
        while let Some(found) = rest[from..].find(open) {
            let start = from + found;
            if let Some((Tag::Call { name: end, .. }, length)) = tag(&rest[start..]) {
                let ends = match open {
                    "{%" => end == "end" || end.strip_prefix("end").is_some_and(|of| of == name),
                    _ => end.strip_prefix('/').is_some_and(|of| of.trim() == name),
                };
                if ends {
                    return Some((&rest[..start], at + start + length));
                }
            }
            from = start + open.len();
        }
        self.endless.push(name.to_owned());
        None
    }
}

/// The language that a code tag names.
fn language<'a>(name: &str, rest: &'a str) -> &'a str {
    let mut words = rest.split_whitespace();
    let language = if name == "highlight" { words.next() } else { words.find_map(|word| word.strip_prefix("lang:")) };
    let language = language.unwrap_or_default().trim_matches(['"', '\'']);
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'#' | b'-' | b'_' | b'.');
    if language.bytes().all(plain) { language } else { "" }
}

fn push_code(language: &str, content: &str, markup: Markup, out: &mut String) {
    // Code that holds template code is often wrapped once more.
    let content = ["{% raw %}", "{% endraw %}"].iter().fold(content.to_owned(), |text, mark| text.replace(mark, ""));
    let content = content.trim_matches('\n');
    if markup == Markup::Markdown {
        let longest = content.split(|c| c != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat(longest.max(2) + 1);
        let _ = write!(out, "\n\n{fence}{language}\n{content}\n{fence}\n\n");
    } else {
        out.push_str("<pre><code>");
        push_escaped(content, out);
        out.push_str("</code></pre>");
    }
}

/// Words of a tag's arguments: bare, in quotes, or `name="value"`.
fn words(rest: &str) -> Vec<(Option<&str>, &str)> {
    let mut words = Vec::new();
    let mut rest = rest.trim_start_matches([' ', ',', '\n', '\t']);
    while !rest.is_empty() {
        let mut name = None;
        let bare = rest.find(|c: char| c.is_whitespace() || matches!(c, '=' | '"' | '\'' | ',')).unwrap_or(rest.len());
        if bare > 0 && rest[bare..].starts_with('=') {
            name = Some(&rest[..bare]);
            rest = &rest[bare + 1..];
        }
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, after) = match quote {
            Some(quote) => rest[1..].split_once(quote).unwrap_or((&rest[1..], "")),
            None => {
                let end = rest.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(rest.len());
                rest.split_at(end)
            }
        };
        words.push((name, value));
        rest = after.trim_start_matches([' ', ',', '\n', '\t']);
    }
    words
}

fn push_picture(rest: &str, out: &mut String) {
    let words = words(rest);
    let named = |wanted: &[&str]| {
        words.iter().find(|(name, _)| name.is_some_and(|name| wanted.contains(&name))).map(|(_, value)| *value)
    };
    let looks_like_file = |word: &str| word.contains('/') || word.contains('.');
    let bare = || words.iter().find(|(name, word)| name.is_none() && looks_like_file(word)).map(|(_, word)| *word);
    let Some(src) = named(&["src", "link", "path", "url"]).or_else(bare) else { return };
    let alt = named(&["alt"]).unwrap_or_default();
    let caption = named(&["caption", "title"]).unwrap_or_default();
    let mut escaped = [src, alt, caption].map(|text| {
        let mut out = String::new();
        push_escaped(text, &mut out);
        out
    });
    let [src, alt, caption] = &mut escaped;
    let _ = if caption.is_empty() {
        write!(out, "<img src=\"{src}\" alt=\"{alt}\">")
    } else {
        write!(out, "<figure><img src=\"{src}\" alt=\"{alt}\"><figcaption>{caption}</figcaption></figure>")
    };
}

/// The page of what a tag would play or show.
fn player(name: &str, rest: &str) -> Option<String> {
    let words = words(rest);
    let id = |names: &[&str]| {
        let named = words.iter().find(|(name, _)| name.is_some_and(|name| names.contains(&name)));
        named.or_else(|| words.iter().find(|(name, _)| name.is_none())).map(|(_, value)| *value)
    };
    let plain = |id: &&str| {
        !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/' | b'.'))
    };
    let id = id(&["id", "bvid", "bv"]).filter(plain)?;
    Some(match name {
        "youtube" | "youtuber" => format!("https://www.youtube.com/watch?v={id}"),
        "vimeo" => format!("https://vimeo.com/{id}"),
        "bilibili" | "bili" => format!("https://www.bilibili.com/video/{id}/"),
        "gist" if words.len() > 1 && words[1].0.is_none() && plain(&words[1].1) && !id.contains('/') => {
            format!("https://gist.github.com/{id}/{}", words[1].1)
        }
        "gist" => format!("https://gist.github.com/{id}"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn md(source: &str) -> String {
        resolve(source, Markup::Markdown).into_owned()
    }

    #[test]
    fn unknown_tags_are_removed_and_their_content_stays() {
        assert_eq!(md("a {% note info %}b{% endnote %} c {{ page.title }}d"), "a b c d");
        assert_eq!(md("{{< tabs >}}x{{< /tabs >}}{{% y %}}z"), "xz");
        assert_eq!(md("![x]({{ site.baseurl }}/a.png)"), "![x](/a.png)");
        assert_eq!(md("![x]({{ '/a.png' | relative_url }})"), "![x](/a.png)");
        assert_eq!(md("{% comment %}x{% endcomment %}y"), "y");
        assert_eq!(md("[a](b){:target=\"_blank\"} {:.c}"), "[a](b) ");
        assert_eq!(md("a\n\n* Contents\n{:toc}\n\nb"), "a\n\n\n\nb");
        assert_eq!(md("1. TOC\n{:toc .c}\nb{:toc}"), "\nb");
    }

    #[test]
    fn shortcodes_of_wordpress_are_removed() {
        assert_eq!(md("[caption id=\"a\" width=\"3\"]![b](c.png) d[/caption]e[gallery]"), "![b](c.png) de");
        assert_eq!(
            md("`[caption id=a]` [captions] [caption never closed"),
            "`[caption id=a]` [captions] [caption never closed"
        );
    }

    #[test]
    fn text_is_no_tag() {
        for text in ["{{ a", "{% a\n\nb %}", "{ a }", "{:smile}", "100 {%", "a}}", "{{"] {
            assert_eq!(md(text), text);
        }
    }

    #[test]
    fn code_is_not_touched() {
        for text in [
            "```\n{{ a }}\n```\n",
            "~~~ liquid\n{% if x %}\n~~~\n",
            "  - ```\n    {{ a }}\n    ```\n",
            "`{{ a }}` and ``{% `x` %}``",
            "x\n\n    {{ a }}\n\ny",
            "<pre>{{ a }}</pre> <code>{% b %}</code>",
            "```\n{{ never closed }}",
        ] {
            assert_eq!(md(text), text);
        }
        assert_eq!(md("- a\n\n    {{ b }}c\n"), "- a\n\n    c\n");
        assert_eq!(md("` {{ a }}"), "` ");
    }

    #[test]
    fn code_tags_become_code() {
        assert_eq!(
            md("{% highlight ruby linenos %}\nputs '{{ x }}'\n{% endhighlight %}"),
            "\n\n```ruby\nputs '{{ x }}'\n```\n\n"
        );
        assert_eq!(md("{% codeblock lang:js %}\n```\n{% endcodeblock %}"), "\n\n````js\n```\n````\n\n");
        for end in ["/highlight", "/ highlight"] {
            assert_eq!(md(&format!("{{{{< highlight go >}}}}\nx\n{{{{< {end} >}}}}")), "\n\n```go\nx\n```\n\n");
        }
        assert_eq!(md("{% raw %}{{ kept }}{% endraw %}"), "{{ kept }}");
        assert_eq!(md("{{</* youtube x */>}}"), "{{&lt; youtube x &gt;}}");
        assert_eq!(resolve("{% highlight c %}a<b{% endhighlight %}", Markup::Html), "<pre><code>a&lt;b</code></pre>");
    }

    #[test]
    fn quotes_end_as_their_engines_end_them() {
        let quoted = "\n\n<blockquote>\n\nx\n\n</blockquote>\n\ny";
        assert_eq!(md("{% blockquote Ann, A book %}x{% endblockquote %}y"), quoted);
        assert_eq!(md("{% quote(author=\"Ann\") %}x{% end %}y{% end %}"), quoted);
        assert_eq!(md("{{< quote >}}x{{< /quote >}}y"), quoted);
    }

    #[test]
    fn pictures_and_players() {
        assert_eq!(md("{% asset_img a.png A title %}"), "<img src=\"a.png\" alt=\"\">");
        assert_eq!(
            md("{{< figure src=\"/a.png\" alt='b' caption=\"c d\" >}}"),
            "<figure><img src=\"/a.png\" alt=\"b\"><figcaption>c d</figcaption></figure>"
        );
        assert_eq!(
            md("{% youtube abc %}"),
            "<a href=\"https://www.youtube.com/watch?v=abc\">https://www.youtube.com/watch?v=abc</a>"
        );
        assert_eq!(
            md("{{ youtube(id=\"abc\") }}"),
            "<a href=\"https://www.youtube.com/watch?v=abc\">https://www.youtube.com/watch?v=abc</a>"
        );
        assert!(md("{{< gist user 123 >}}").contains("https://gist.github.com/user/123"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_resolved(source in "[{}%<>`: /\\-a-c\n\"'é]{0,60}") {
            let _ = resolve(&source, Markup::Markdown);
            let _ = resolve(&source, Markup::Html);
        }
    }
}
