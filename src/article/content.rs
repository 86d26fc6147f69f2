//! The hash that tells an edit from a rewrite: everything an article says but its dates, noise taken out.

use super::{Article, Field, Hash, Noise, Summary, body};

/// Hashes an article. Each part is preceded by its length, so that no two articles run together to the same bytes.
pub(super) fn hash(article: &Article, body: &str, noise: &[Noise]) -> Hash {
    let mut parts = Parts { hasher: blake3::Hasher::new(), noise };
    parts.field(Field::Title, [article.title.as_str()]);
    parts.field(Field::Id, article.explicit_id.as_deref());
    let authors = article.authors.iter().flat_map(|author| {
        [author.name.as_str(), author.email.as_deref().unwrap_or(""), author.url.as_deref().unwrap_or("")]
    });
    parts.field(Field::Author, authors);
    // A path's end is a part of its own: one path of two names is not two paths of one.
    parts.field(
        Field::Categories,
        article.categories.iter().flat_map(|path| path.iter().map(String::as_str).chain(["\0"])),
    );
    parts.field(Field::Tags, article.tags.iter().map(String::as_str));
    parts.field(Field::Language, article.language.as_deref());
    match &article.summary {
        // The text and not the place, which noise before it would move.
        Some(Summary::BodyUntil(end)) => {
            let before = body::hash(body.get(..*end).unwrap_or(body), noise);
            parts.field(Field::Summary, []);
            parts.hasher.update(&before);
        }
        Some(Summary::Text(text)) => parts.field(Field::Summary, ["text", text]),
        None => parts.field(Field::Summary, []),
    }
    parts.field(Field::Image, article.image.as_deref());
    parts.field(Field::Link, article.link.as_deref());
    parts.field(Field::Slug, article.slug.as_deref());
    for media in &article.media {
        parts.field(
            Field::Media,
            [media.url.as_str(), media.media_type.as_deref().unwrap_or(""), media.length.to_string().as_str()],
        );
    }
    parts.field(Field::Draft, article.draft.then_some("draft"));
    parts.hasher.update(format!("{:?}", article.body.markup).as_bytes());
    parts.hasher.update(&article.body.hash);
    *parts.hasher.finalize().as_bytes()
}

struct Parts<'n> {
    hasher: blake3::Hasher,
    noise: &'n [Noise],
}

impl Parts<'_> {
    fn field<'p>(&mut self, field: Field, parts: impl IntoIterator<Item = &'p str>) {
        self.hasher.update(format!("{field:?}").as_bytes());
        if self.noise.iter().any(|rule| matches!(rule, Noise::Field(ignored) if *ignored == field)) {
            return;
        }
        for part in parts {
            let part = body::quiet(part, Some(field), self.noise);
            self.hasher.update(&(part.len() as u64).to_le_bytes());
            self.hasher.update(part.as_bytes());
        }
    }
}
