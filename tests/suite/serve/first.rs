//! One article in all formats: what the file says is what readers get.

use std::fs;

use crate::driver::{Place, address_of, shared};

const ARTICLE: &str = "
---
title: \"央行维持利率不变: 市场怎么看\"
categories: 
 - 金融
 - 银行
headimg: 'https://img.example/rate.jpg'
author: 李明
comments: false
date: Mon, 11 Apr 2022 13:01:53 GMT
thumbnail: 'https://img.example/rate.jpg'
tags: [利率, 央行]
---

<div>   
<p>　　央行今天<script>alert(1)</script>维持利率不变。</p><!-- ad -->
<p onclick=\"x()\">详情见<a href=\"https://news.example/rate\">公告</a>。</p>
</div>
            ";

#[test]
fn an_article_reads_the_same_in_every_format() {
    let place = Place::new();
    place.write("金融/银行/利率.md", ARTICLE);
    assert!(place.serve_articles("", 1).stop().success());
    let daemon = place.serve("");
    assert!(daemon.ready.ends_with(" articles=1 feeds=6 problems=0"), "{}", daemon.ready);
    let base = format!("http://{}", daemon.http);

    let feed = daemon.json("/category/%E9%87%91%E8%9E%8D/%E9%93%B6%E8%A1%8C.json");
    assert_eq!(feed["version"], "https://jsonfeed.org/version/1.1");
    let item = &feed["items"][0];
    let id = item["id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with("urn:uuid:"), "{id}");
    assert_eq!(item["title"], "央行维持利率不变: 市场怎么看");
    assert_eq!(item["date_published"], "2022-04-11T13:01:53Z");
    assert_eq!(item["image"], "https://img.example/rate.jpg");
    assert_eq!(item["authors"][0]["name"], "李明");
    assert_eq!(item["tags"], serde_json::json!(["金融", "银行", "利率", "央行"]));
    let html = item["content_html"].as_str().expect("a body");
    assert!(
        html.contains("<p>") && html.contains("维持利率不变。") && html.contains("https://news.example/rate"),
        "{html}"
    );
    for bad in ["script", "alert", "onclick", "<!--"] {
        assert!(!html.contains(bad), "{bad} in {html}");
    }
    let page = item["url"].as_str().expect("a link").strip_prefix(&base).expect("our own page").to_owned();
    assert_eq!(daemon.get(&page).status, 200);

    for key in ["all", "category/金融", "category/金融/银行", "tag/利率", "tag/央行", "author/李明"] {
        let path = address_of(key);
        let rss = daemon.get(&format!("{path}.rss"));
        assert_eq!((rss.status, rss.header("content-type")), (200, "application/rss+xml; charset=utf-8"), "{key}");
        let channel = roxmltree::Document::parse(rss.text()).expect("well-formed");
        let item = channel.descendants().find(|node| node.has_tag_name("item")).expect("an item");
        let text = |name: &str| item.children().find(|node| node.has_tag_name(name)).and_then(|node| node.text());
        assert_eq!(text("title"), Some("央行维持利率不变: 市场怎么看"));
        assert_eq!(text("guid"), Some(id.as_str()));
        assert_eq!(text("pubDate"), Some("Mon, 11 Apr 2022 13:01:53 GMT"));
        let media = ("http://search.yahoo.com/mrss/", "thumbnail");
        let thumbnail = item.children().find(|node| node.has_tag_name(media)).expect("a thumbnail");
        assert_eq!(thumbnail.attribute("url"), Some("https://img.example/rate.jpg"));

        let atom = daemon.get(&format!("{path}.atom"));
        assert_eq!(atom.header("content-type"), "application/atom+xml; charset=utf-8");
        let read = feed_rs::parser::parse(atom.body.as_slice()).expect("a feed");
        let entry = &read.entries[0];
        assert_eq!(entry.id, id);
        assert_eq!(entry.published.map(|at| at.to_rfc3339()), Some("2022-04-11T13:01:53+00:00".to_owned()));
        assert_eq!(entry.authors[0].name.as_deref(), Some("李明"));
        assert!(atom.text().contains("<published>2022-04-11T13:01:53"), "{}", atom.text());
        assert_eq!(daemon.get(&format!("{path}/")).header("content-type"), "text/html; charset=utf-8");
    }
    assert_eq!(daemon.get("/").status, 200);
    assert!(daemon.get("/feeds.opml").text().contains("/category/%E9%87%91%E8%9E%8D/%E9%93%B6%E8%A1%8C.rss"));
}

#[test]
fn the_first_article_of_all() {
    let Some(folder) = shared("corpus/rsshub-page/金融/新浪财经/新浪财经－国內") else { return };
    let file = fs::read_dir(folder)
        .expect("readable")
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with("上海"))
        .expect("the article");
    let place = Place::new();
    let name = file.file_name().to_string_lossy().into_owned();
    place.rename_in(&format!("金融/新浪财经/新浪财经－国內/{name}"), fs::read(file.path()).expect("readable"));
    let daemon = place.serve_articles("", 1);
    for key in
        ["all", "category/金融", "category/金融/新浪财经", "category/金融/新浪财经/新浪财经－国內", "author/新浪财经"]
    {
        let path = address_of(key);
        let feed = daemon.json(&format!("{path}.json"));
        let item = &feed["items"][0];
        assert_eq!(item["date_published"], "2022-04-11T13:01:53Z", "{key}");
        assert_eq!(item["authors"][0]["name"], "新浪财经");
        assert!(item["image"].as_str().is_some_and(|url| url.starts_with("https://")));
        assert!(item["title"].as_str().is_some_and(|title| title.starts_with("上海")));
        let html = item["content_html"].as_str().expect("a body");
        assert!(!html.contains("<style") && !html.contains("<!--") && html.contains("referrerpolicy"), "{html}");
        let rss = daemon.get(&format!("{path}.rss"));
        assert!(rss.text().contains("<pubDate>Mon, 11 Apr 2022 13:01:53 GMT</pubDate>"));
    }
    assert_eq!(daemon.count("problems"), 0);
}
