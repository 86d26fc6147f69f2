//! Documents → bytes: RSS, Atom, JSON Feed, OPML and pages.
//!
//! Pure: the same document, material and settings always give the same bytes. The only place that knows formats.
//!
//! | module | what it does |
//! |---|---|
//! | [`text`] | text that XML can hold, language tags, dates |
//! | [`link`] | sound addresses, what relative ones mean, where an item leads |
//! | [`template`], [`html`] | an article's body → clean HTML |
//! | [`summary`] | clean HTML → a few lines of text |
//! | [`body`] | the cleaned bodies, kept by revision |
//! | [`limit`] | how much of a live feed is shown |
//! | [`channel`] | a feed as every format sees it |
//! | [`rss`], [`atom`], [`json`], [`opml`], [`pages`] | the formats |

mod atom;
mod body;
mod channel;
mod html;
mod json;
mod limit;
mod link;
mod opml;
mod pages;
mod rss;
mod summary;
mod template;
mod text;
mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use url::Url;

pub use self::body::allocated;
use self::body::{Bodies, Cleaned};
use self::channel::Channel;
use self::link::Base;
use crate::entry::{Document, Entry, Format, Hash, Kind, Material, Namespace, Segment};

/// Changes whenever the same material may render to other bytes than in the release before.
pub const RENDERER_REVISION: u32 = 2;

/// How much of an article a feed holds (`feeds.content`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// Summary and body.
    Full,
    /// The summary alone.
    Summary,
}

/// What feeds and pages look like: `site` and `feeds`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `site.title`.
    pub title: String,
    /// `site.base_url` without a slash at the end.
    pub base_url: String,
    /// Of `site.id`; for the ids of feeds.
    pub namespace: Namespace,
    /// `site.language`.
    pub language: String,
    /// `site.author`.
    pub author: Option<String>,
    /// `site.timezone`.
    pub timezone: Tz,
    /// `site.assets_url`: what relative addresses resolve against, with the file's folder, where the article has no
    /// link of its own.
    pub assets_url: Option<String>,
    /// `feeds.formats`; the first one is the preferred one.
    pub formats: Vec<Format>,
    /// `feeds.archives`.
    pub archives: Vec<Kind>,
    /// `feeds.bytes`: the most that the bodies of one live feed may add up to.
    pub bytes: usize,
    /// `feeds.content`.
    pub content: Content,
    /// `articles.link`.
    pub link: Option<String>,
    /// Titles of mixes that have one.
    pub mix_titles: BTreeMap<Segment, String>,
    /// `feeds.hubs`: named by live feeds; archives do not change often enough for anybody to subscribe to.
    pub hubs: Vec<Url>,
}

impl Settings {
    /// The absolute address of a document.
    pub fn address(&self, document: &Document) -> String {
        format!("{}{}", self.base_url, document.path())
    }

    /// A hash of the renderer's revision and of all settings.
    pub fn digest(&self) -> Hash {
        *blake3::hash(format!("{RENDERER_REVISION} {self:?}").as_bytes()).as_bytes()
    }
}

/// Why a document could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// An entry's kept bytes are damaged.
    #[error("the kept bytes of {path} are damaged")]
    Kept {
        /// The entry's file.
        path: String,
        /// What is wrong with them.
        source: std::io::Error,
    },
    /// The document does not go with the material.
    #[error("{0} cannot be rendered from this material")]
    Mismatch(String),
}

/// Renders documents; keeps cleaned bodies by revision, so that a feed with one new article cleans one body.
#[derive(Debug)]
pub struct Renderer {
    settings: Settings,
    bodies: Bodies,
}

impl Renderer {
    /// A renderer that keeps no more of cleaned bodies than a few feeds need.
    pub fn new(settings: Settings) -> Renderer {
        Renderer::keeping(settings, 4 << 20)
    }

    /// A renderer that keeps so many bytes of cleaned bodies.
    pub fn keeping(settings: Settings, bytes: u64) -> Renderer {
        Renderer { settings, bodies: Bodies::new(bytes) }
    }

    /// How many bytes of cleaned bodies are kept.
    pub fn kept_bytes(&self) -> u64 {
        self.bodies.weight()
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The bytes of a document.
    ///
    /// # Errors
    ///
    /// Where an entry's kept bytes are damaged, or the material is not the document's.
    pub fn render(&self, document: &Document, material: &Material) -> Result<Vec<u8>, RenderError> {
        let bytes = match (document, material) {
            (Document::Feed(key, format), Material::Feed(feed)) if *key == feed.key => {
                write(*format, &Channel::live(self, feed, *format)?)
            }
            (Document::Archive(key, number, format), Material::Archive(archive))
                if *key == archive.key && *number == archive.number =>
            {
                write(*format, &Channel::archive(self, archive, *format)?)
            }
            (Document::Page(key), Material::Feed(feed)) if *key == feed.key => pages::feed(self, feed)?,
            (Document::Article(uuid), Material::Article(article)) if *uuid == article.entry.uuid => {
                pages::article(self, article)?
            }
            (Document::Index, Material::List(list)) => pages::index(list, &self.settings),
            (Document::List(kind, page), Material::List(list)) if *page == list.page => {
                pages::list(*kind, list, &self.settings)
            }
            (Document::Opml, Material::List(list)) => opml::render(list, &self.settings),
            (Document::Style, Material::Fixed) => pages::STYLE.as_bytes().to_vec(),
            (Document::Icon, Material::Fixed) => pages::ICON.as_bytes().to_vec(),
            (Document::Robots, Material::Fixed) => pages::robots().into_bytes(),
            _ => return Err(RenderError::Mismatch(document.path())),
        };
        Ok(bytes)
    }

    /// An entry's cleaned body and its summary.
    fn cleaned(&self, entry: &Entry, base: &Base) -> Result<Arc<Cleaned>, RenderError> {
        self.bodies.get(entry, base).map_err(|source| RenderError::Kept { path: entry.path.clone(), source })
    }
}

fn write(format: Format, channel: &Channel<'_>) -> Vec<u8> {
    match format {
        Format::Rss => rss::render(channel),
        Format::Atom => atom::render(channel),
        Format::Json => json::render(channel),
    }
}

#[cfg(test)]
mod tests;
