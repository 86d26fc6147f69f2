//! The few words of the pages' own, in the language of the site.
//!
//! English, and Chinese for sites whose language begins with `zh`. Dates are not translated.

use crate::entry::Kind;
use crate::feed::Settings;

/// The words of one language.
pub(super) struct Words {
    pub(super) skip: &'static str,
    pub(super) site: &'static str,
    pub(super) home: &'static str,
    pub(super) path: &'static str,
    pub(super) everything: &'static str,
    pub(super) made_by: &'static str,
    pub(super) what_is_a_feed: &'static str,
    pub(super) what_is_here: &'static str,
    pub(super) address: &'static str,
    pub(super) formats: &'static str,
    pub(super) newest: &'static str,
    pub(super) narrower: &'static str,
    pub(super) no_articles: &'static str,
    pub(super) older: &'static str,
    pub(super) published: &'static str,
    pub(super) changed: &'static str,
    pub(super) source: &'static str,
    pub(super) in_feeds: &'static str,
    pub(super) tags: &'static str,
    pub(super) attachments: &'static str,
    pub(super) all_of: &'static str,
    pub(super) pages: &'static str,
    pub(super) previous: &'static str,
    pub(super) next: &'static str,
    pub(super) empty: &'static str,
    pub(super) first_file: &'static str,
    pub(super) file_name: &'static str,
    article: &'static str,
    articles: &'static str,
    pub(super) colon: &'static str,
    kinds: [&'static str; 7],
    one_of_kind: [&'static str; 7],
}

const ENGLISH: Words = Words {
    skip: "Skip to the content",
    site: "Site",
    home: "Home",
    path: "Path",
    everything: "All articles",
    made_by: "Made by feedmill.",
    what_is_a_feed: "This is a feed: a feed reader that knows its address shows you every new article, without an \
                     account and without mail. Copy the address into a reader of your choice.",
    what_is_here: "Everything here can be subscribed to. Copy this address into a feed reader, and every new article \
                   comes to you; each category, tag and author below has an address of its own.",
    address: "Address of this feed",
    formats: "Or one format alone:",
    newest: "Newest articles",
    narrower: "Narrower feeds",
    no_articles: "No article is in this feed at present.",
    older: "Older articles, for readers that know feed history:",
    published: "Published",
    changed: "Changed",
    source: "Read it at its source",
    in_feeds: "In these feeds",
    tags: "Tags",
    attachments: "Attachments",
    all_of: "All",
    pages: "Pages",
    previous: "Previous page",
    next: "Next page",
    empty: "There is no article yet.",
    first_file: "Put a file such as this one into the inbox folder. It is here, and in its feeds, a moment later.",
    file_name: "hello.md",
    article: "article",
    articles: "articles",
    colon: ": ",
    kinds: ["All", "Categories", "Tags", "Authors", "Languages", "Folders", "Mixes"],
    one_of_kind: ["All", "Category", "Tag", "Author", "Language", "Folder", "Mix"],
};

const CHINESE: Words = Words {
    skip: "跳到正文",
    site: "本站",
    home: "首页",
    path: "位置",
    everything: "全部文章",
    made_by: "由 feedmill 生成。",
    what_is_a_feed: "这是一个订阅源：把下面的地址复制到任何一个阅读器里，新文章就会自动送到你面前，不需要注册，也不需要邮箱。",
    what_is_here: "这里的一切都可以订阅：把下面的地址复制到阅读器里，新文章就会自动送到你面前；下面的每个分类、标签和作者也都有自己的地址。",
    address: "订阅地址",
    formats: "也可以只用一种格式：",
    newest: "最新文章",
    narrower: "下级分类",
    no_articles: "这个订阅源里暂时没有文章。",
    older: "更早的文章（供支持历史存档的阅读器使用）：",
    published: "发表于",
    changed: "更新于",
    source: "阅读原文",
    in_feeds: "所在的订阅源",
    tags: "标签",
    attachments: "附件",
    all_of: "全部",
    pages: "分页",
    previous: "上一页",
    next: "下一页",
    empty: "还没有文章。",
    first_file: "把这样一个文件放进收件文件夹，片刻之后它就会出现在这里和它的订阅源里。",
    file_name: "hello.md",
    article: "篇文章",
    articles: "篇文章",
    colon: "：",
    kinds: ["全部", "分类", "标签", "作者", "语言", "文件夹", "组合"],
    one_of_kind: ["全部", "分类", "标签", "作者", "语言", "文件夹", "组合"],
};

impl Words {
    /// The words for a site.
    pub(super) fn of(settings: &Settings) -> &'static Words {
        let chinese = settings.language.get(..2).is_some_and(|code| code.eq_ignore_ascii_case("zh"));
        if chinese { &CHINESE } else { &ENGLISH }
    }

    /// What the keys of a kind are called.
    pub(super) fn kind(&self, kind: Kind) -> &'static str {
        self.kinds[place(kind)]
    }

    /// What one of them is called.
    pub(super) fn kind_of_one(&self, kind: Kind) -> &'static str {
        self.one_of_kind[place(kind)]
    }

    /// So many articles.
    pub(super) fn count(&self, count: u64) -> String {
        format!("{count} {}", if count == 1 { self.article } else { self.articles })
    }
}

/// The place of a kind in the lists above.
fn place(kind: Kind) -> usize {
    Kind::ALL.iter().position(|&known| known == kind).unwrap_or_default()
}
