//! A diagnostic: a problem in somebody's file or config, as a value that can be stored, listed and shown.
//!
//! A diagnostic never stops anybody but the file it is about. Its code is the stable name that people search for;
//! every code is listed here once, with the sentence that the documentation shows.

use serde::{Deserialize, Serialize};

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Withheld as its author asked; never changes an exit code.
    Note,
    /// Published, but something had to be guessed.
    Warning,
    /// Not published, or an older version is.
    Error,
}

impl Severity {
    /// The word used in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One problem: where it is, what was expected, what was done instead and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The stable name.
    pub code: Code,
    /// Counts from 1; `None` where the problem has no place in the text.
    pub line: Option<u32>,
    /// Counts from 1, in characters.
    pub column: Option<u32>,
    /// What is wrong and what was done, lower case, without a full stop.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The line of the text, for those who have not got the file; cut where it is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl Diagnostic {
    /// A diagnostic with the severity that belongs to the code, and no place.
    pub fn new(code: Code, message: impl Into<String>) -> Diagnostic {
        let (severity, message) = (code.severity(), message.into());
        Diagnostic { severity, code, line: None, column: None, message, help: None, source: None }
    }

    /// The same at a line and column, both counted from 1, the column in characters.
    pub fn at(mut self, line: u32, column: u32) -> Diagnostic {
        self.line = Some(line);
        self.column = Some(column);
        self
    }

    /// The same with advice.
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }
}

macro_rules! codes {
    ($($variant:ident $name:literal $severity:ident $text:literal;)*) => {
        /// The stable names of all diagnostics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $(#[doc = $text] #[serde(rename = $name)] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The name used in every output.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// The severity that belongs to the code.
            pub fn severity(self) -> Severity {
                match self { $(Code::$variant => Severity::$severity,)* }
            }

            /// One sentence for the documentation.
            pub fn text(self) -> &'static str {
                match self { $(Code::$variant => $text,)* }
            }
        }
    };
}

codes! {
    // Reading the file.
    Unreadable "unreadable" Error "The file could not be opened or read.";
    TooLarge "too-large" Error "The file is larger than `inbox.max_file_size`.";
    NotText "not-text" Error "The file is not text: it holds binary data or an encoding that cannot be told.";
    NameNotUtf8 "name-not-utf8" Error "The file's name is not valid UTF-8, so no address could name it.";
    NotRegular "not-regular" Error "The name belongs to a link that leaves the inbox, a pipe, a socket or a device; it was not opened.";
    CharsetGuessed "charset-guessed" Warning "The file is not UTF-8; its encoding was guessed.";
    CharsetBad "charset-bad" Warning "Some bytes do not fit the encoding and were left out.";
    Empty "empty" Note "The file is empty and waits for content.";
    NoArticle "no-article" Error "The file has neither a title nor a body.";
    // Front matter.
    FenceMissing "fence-missing" Warning "The front matter has no closing line; where it ends was guessed.";
    YamlRepaired "yaml-repaired" Warning "The front matter is not valid YAML; the line was read as it stands.";
    TomlBroken "toml-broken" Warning "The front matter is not valid TOML; the lines that could be read were taken.";
    JsonBroken "json-broken" Warning "The front matter is not valid JSON; the lines that could be read were taken.";
    FrontMatterBudget "front-matter-budget" Error "The front matter is larger or more deeply nested than any article needs.";
    KeyDuplicate "key-duplicate" Warning "A key stands twice; the first one with a value counts.";
    FieldInvalid "field-invalid" Warning "A field holds something that it cannot mean; it was ignored.";
    TermsCut "terms-cut" Warning "The article names more categories, tags or levels than are taken.";
    TitleMissing "title-missing" Warning "The article has no title; one was made from its text or file name.";
    TitleCut "title-cut" Warning "The title was longer than any reader shows and was cut.";
    UrlInvalid "url-invalid" Warning "An address is not an absolute http or https URL and was dropped.";
    // Dates.
    DateInvalid "date-invalid" Warning "A date could not be understood; the next best one was taken.";
    DateMissing "date-missing" Warning "The article has no date; the time when it was first seen is used.";
    DateFuture "date-future" Warning "A shown article's date was moved into the future; the old date was kept.";
    // Withheld as the author asked.
    Draft "draft" Note "The article is a draft.";
    Future "future" Note "The article is dated in the future and will be shown at its time.";
    Expired "expired" Note "The article's expiry date has passed.";
    // Identity.
    Twin "twin" Warning "Another file holds the same article; only one of them is shown.";
    IdCollision "id-collision" Warning "Another article already has this identity; this one got an identity of its own.";
    IdChanged "id-changed" Warning "An explicit id was added to a shown article; it is a new entry now.";
    // Body.
    LinkDropped "link-dropped" Warning "A relative address in the body has nothing to resolve against and was dropped.";
    // Config.
    ConfigSyntax "config-syntax" Error "The config file is not valid YAML.";
    ConfigUnknownKey "config-unknown-key" Error "The config file has a key that does not exist.";
    ConfigValue "config-value" Error "A config value is not one that its key takes.";
}
