//! Template code.

use std::borrow::Cow;

use crate::entry::Markup;

/// Resolves template code.
pub(super) fn resolve(source: &str, _markup: Markup) -> Cow<'_, str> {
    Cow::Borrowed(source)
}
