//! HTML, judged on the tree that a browser builds, with the errors that its parser sees.

use super::*;

impl Check {
    /// Text that looks like HTML that was escaped once too often.
    pub(super) fn html_in_text(&mut self, element: &str, text: &str, message: &'static str) {
        static END_TAG: LazyLock<Regex> = LazyLock::new(|| pattern(r"</(\w+)>"));
        static ENTITY: LazyLock<Regex> = LazyLock::new(|| pattern(r"&(#?\w+)"));
        let tag = END_TAG.captures_iter(text).find(|tag| is_html(&tag[1].to_ascii_lowercase()));
        if let Some(tag) = tag {
            self.say(message, element, &tag[0]);
        } else if let Some(entity) = ENTITY.captures_iter(text).find(|entity| is_entity(&entity[1])) {
            self.say(message, element, &entity[0]);
        }
    }

    /// HTML: what its parser complains of, and what the validator does not trust.
    pub(super) fn html(&mut self, node: Node<'_, '_>) {
        let element = name(node);
        let dom = html5ever::parse_fragment(
            RcDom::default(),
            html5ever::ParseOpts::default(),
            html5ever::QualName::new(None, html5ever::ns!(html), html5ever::local_name!("div")),
            Vec::new(),
            false,
        )
        .one(value(node));
        for error in dom.errors.borrow().iter() {
            self.say("NotHtml", element.as_str(), error.as_ref());
        }
        self.html_nodes(&element, &dom.document);
    }

    pub(super) fn html_nodes(&mut self, element: &str, node: &Handle) {
        let mut nodes = vec![node.clone()];
        while let Some(node) = nodes.pop() {
            nodes.extend(node.children.borrow().iter().cloned());
            let NodeData::Element { name, attrs, .. } = &node.data else { continue };
            let tag = &*name.local;
            if tag == "html" && node.parent.take().is_some() {
                // The root that the parser makes.
                continue;
            }
            if !is_html(tag) {
                self.say("NotHtml", element, tag);
            } else if !is_one_of(TRUSTED, tag) {
                self.say("SecurityRisk", element, tag);
            }
            for attribute in attrs.borrow().iter() {
                let name = &*attribute.name.local;
                if !is_one_of(TRUSTED_ATTRIBUTES, name) && !name.starts_with("data-") {
                    self.say("SecurityRiskAttr", element, format!("{tag} {name}"));
                }
                static ABSOLUTE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\w+:"));
                if matches!((tag, name), ("img", "src") | ("a", "href")) && !ABSOLUTE.is_match(&attribute.value) {
                    self.say("ContainsRelRef", element, &*attribute.value);
                }
            }
        }
    }
}

/// Whether `&` before this makes a character reference of it.
fn is_entity(name: &str) -> bool {
    if !name.bytes().all(|b| b.is_ascii_alphabetic()) {
        return true;
    }
    let dom = html5ever::parse_document(RcDom::default(), html5ever::ParseOpts::default()).one(format!("&{name};"));
    fn text(node: &Handle, out: &mut String) {
        if let NodeData::Text { contents } = &node.data {
            out.push_str(&contents.borrow());
        }
        node.children.borrow().iter().for_each(|child| text(child, out));
    }
    let mut decoded = String::new();
    text(&dom.document, &mut decoded);
    !decoded.contains(name)
}

fn is_html(tag: &str) -> bool {
    is_one_of(TRUSTED, tag) || is_one_of(DISTRUSTED, tag)
}

fn is_one_of(words: &str, word: &str) -> bool {
    words.split(' ').any(|known| known == word)
}

/// Elements of HTML that the validator trusts.
const TRUSTED: &str = "a abbr acronym address area article aside audio b bdi big blockquote br button canvas caption center cite \
    code col colgroup data dd del details dfn dialog dir div dl dt em fieldset figcaption figure font footer \
    form h1 h2 h3 h4 h5 h6 header hgroup hr i img input ins kbd label legend li main map mark menu meter nav \
    noscript ol optgroup option output p picture pre progress q rp rt ruby s samp section select small source \
    span strike strong sub summary sup table tbody td template textarea tfoot th thead time tr track tt u ul var \
    video wbr";

/// Elements of HTML that it knows and does not trust.
const DISTRUSTED: &str = "applet base bdo body embed frame frameset head html iframe link meta noframes object param plaintext script \
    style title xmp";

/// Attributes that it trusts, of those that we write.
const TRUSTED_ATTRIBUTES: &str = "align alt cite colspan datetime dir height href hreflang lang media poster referrerpolicy rel rowspan scope \
    sizes span src srcset start title type value width";
