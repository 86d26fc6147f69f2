//! Players in frames: what a feed cannot hold becomes a link to the video or the sound itself.

use url::Url;

/// The page of what a frame plays, where its host is known.
pub(super) fn page(frame: &str) -> Option<String> {
    let frame = if frame.starts_with("//") { format!("https:{frame}") } else { frame.to_owned() };
    let url = Url::parse(&frame).ok()?;
    let host = url.host_str()?;
    let host = host.strip_prefix("www.").unwrap_or(host);
    let names: Vec<&str> = url.path_segments()?.collect();
    let query = |wanted: &str| url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
    let page = match (host, names.as_slice()) {
        ("youtube.com" | "m.youtube.com" | "youtube-nocookie.com", ["embed", "videoseries"]) => {
            format!("https://www.youtube.com/playlist?list={}", id(&query("list")?)?)
        }
        ("youtube.com" | "m.youtube.com" | "youtube-nocookie.com", ["embed" | "v" | "shorts", video, ..]) => {
            // The old players wrote their settings after an ampersand.
            format!("https://www.youtube.com/watch?v={}", id(video.split('&').next()?)?)
        }
        ("youtube.com" | "m.youtube.com", ["watch"]) => {
            format!("https://www.youtube.com/watch?v={}", id(&query("v")?)?)
        }
        ("youtu.be", [video]) => format!("https://www.youtube.com/watch?v={}", id(video)?),
        ("player.vimeo.com", ["video", video, ..]) => format!("https://vimeo.com/{}", id(video)?),
        ("dailymotion.com" | "geo.dailymotion.com", ["embed", "video", video, ..]) => {
            format!("https://www.dailymotion.com/video/{}", id(video)?)
        }
        ("player.bilibili.com" | "bilibili.com", ["player.html" | "html5player.html" | "blackboard", ..]) => {
            match (query("bvid"), query("aid")) {
                (Some(video), _) => format!("https://www.bilibili.com/video/{}/", id(&video)?),
                (None, Some(video)) => format!("https://www.bilibili.com/video/av{}/", id(&video)?),
                (None, None) => return None,
            }
        }
        ("v.qq.com", ["txp" | "iframe", ..]) => format!("https://v.qq.com/x/page/{}.html", id(&query("vid")?)?),
        ("player.youku.com", ["embed", video]) => format!("https://v.youku.com/v_show/id_{}.html", id(video)?),
        ("music.163.com", ["outchain", "player"]) => format!("https://music.163.com/song?id={}", id(&query("id")?)?),
        ("open.spotify.com", ["embed", kind @ ("track" | "album" | "playlist" | "episode" | "show"), item]) => {
            format!("https://open.spotify.com/{kind}/{}", id(item)?)
        }
        ("player.twitch.tv", _) => format!("https://www.twitch.tv/videos/{}", id(&query("video")?)?),
        ("asciinema.org", ["a", cast, ..]) => format!("https://asciinema.org/a/{}", id(cast)?),
        ("ted.com" | "embed.ted.com", [.., "talks", talk]) => format!("https://www.ted.com/talks/{}", id(talk)?),
        _ => return None,
    };
    Some(page)
}

/// A name that needs no escaping.
fn id(text: &str) -> Option<&str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'=' | b'.');
    (!text.is_empty() && text.len() <= 80 && text.bytes().all(plain)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn players_lead_to_pages() {
        for (frame, expected) in [
            ("https://www.youtube.com/embed/abc_1?rel=0", Some("https://www.youtube.com/watch?v=abc_1")),
            ("//www.youtube-nocookie.com/embed/abc", Some("https://www.youtube.com/watch?v=abc")),
            ("http://www.youtube.com/v/abc&hl=en", Some("https://www.youtube.com/watch?v=abc")),
            ("https://player.vimeo.com/video/12", Some("https://vimeo.com/12")),
            ("//player.bilibili.com/player.html?aid=1&bvid=BV1x", Some("https://www.bilibili.com/video/BV1x/")),
            ("//player.bilibili.com/player.html?aid=170001", Some("https://www.bilibili.com/video/av170001/")),
            ("https://v.qq.com/txp/iframe/player.html?vid=k0", Some("https://v.qq.com/x/page/k0.html")),
            ("https://evil.example/embed/abc", None),
            ("https://www.youtube.com.evil.example/embed/abc", None),
            ("https://www.youtube.com/embed/a%22b", None),
            ("javascript:alert(1)", None),
        ] {
            assert_eq!(page(frame).as_deref(), expected, "{frame}");
        }
    }
}
