//! Articles for benchmarks: made from their number alone, in the shape of a feed exporter's output (YAML front matter,
//! three levels of categories, an HTML body of 4 to 8 KB).

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const WORDS: [&str; 24] = [
    "市场", "监管", "平台", "数据", "系统", "用户", "产品", "服务", "企业", "行业", "技术", "开发", "release",
    "kernel", "项目", "团队", "城市", "社区", "网络", "资源", "计划", "标准", "index", "report",
];
/// The date of article 0, in 2006; each one is a minute newer.
const DATES: i64 = 1_140_000_000;
const TOP: [&str; 5] = ["金融", "编程", "科技", "学习", "新媒体"];

/// A small generator of numbers (SplitMix64), so that an article depends on its number alone.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn words(&mut self, count: u64) -> String {
        (0..count).map(|_| WORDS[self.below(WORDS.len() as u64) as usize]).collect()
    }
}

/// The category path of an article: a quarter of all is in the first one.
pub fn category(number: u64) -> [String; 3] {
    let mut numbers = Numbers(number.wrapping_mul(31));
    let leaf = if numbers.below(4) == 0 { 0 } else { numbers.below(120) };
    [TOP[(leaf % 5) as usize].to_owned(), format!("source {}", leaf % 24), format!("column {leaf}")]
}

/// The text of an article.
pub fn text(number: u64) -> String {
    let mut numbers = Numbers(number);
    let [top, source, leaf] = category(number);
    let title = numbers.words(8);
    let date = chrono::DateTime::from_timestamp(DATES + number as i64 * 60, 0).unwrap_or_default();
    let mut text = format!(
        "\n---\ntitle: '{title} {number}'\ncategories: \n - {top}\n - {source}\n - {leaf}\n\
         headimg: 'https://img.example/{number}.jpg'\nauthor: {source}\ncomments: false\ndate: {}\n\
         thumbnail: 'https://img.example/{number}.jpg'\n---\n\n<div>   \n",
        date.format("%a, %d %b %Y %H:%M:%S GMT"),
    );
    let size = 4000 + numbers.below(4000) as usize;
    while text.len() < size {
        let words = 20 + numbers.below(40);
        let _ = writeln!(text, "<p>　　{}。</p>", numbers.words(words));
    }
    text.push_str("<!-- end --> \n</div>\n            ");
    text
}

/// The path of an article below the inbox.
pub fn path(number: u64) -> String {
    format!("{}/{number}.md", category(number).join("/"))
}

/// Writes articles `0..count` below a folder.
pub fn write(inbox: &Path, count: u64) {
    for number in 0..count {
        let path = inbox.join(path(number));
        fs::create_dir_all(path.parent().expect("below the inbox")).expect("a writable folder");
        fs::write(path, text(number)).expect("a writable folder");
    }
}
