//! A page as the model gets it: fetched where its site's robots.txt lets a machine go by itself, and made readable.
//! Must not cut it: the tool pages through it.

use std::time::Duration;

use url::Url;

use crate::reader;
use crate::robots::{self, Robots};
use crate::web::{self, Answer, Trouble};

/// How long a page may take.
const PAGE: Duration = Duration::from_secs(30);

/// How long a robots.txt may take.
const ROBOTS: Duration = Duration::from_secs(5);

/// What was fetched.
pub(crate) struct Page {
    /// What is to be said before it.
    pub(crate) prefix: String,
    pub(crate) content: String,
}

/// Fetches a page. With `obeys_robots` each redirect is held against the robots.txt of where it leads.
pub(crate) fn fetch(
    url: &Url,
    written: &str,
    agent: &str,
    raw: bool,
    obeys_robots: bool,
) -> Result<Page, Trouble> {
    let may_go = |next: &Url| if obeys_robots { may_fetch(next, agent) } else { Ok(()) };
    let answer = web::follow(url, agent, PAGE, may_go).map_err(|trouble| match trouble {
        Trouble::Failed(why) => Trouble::Told(format!("Failed to fetch {written}: {why}")),
        other => other,
    })?;
    if answer.status >= 400 {
        return Err(Trouble::Told(format!("Failed to fetch {written} - status code {}", answer.status)));
    }
    Ok(if is_html(&answer) && !raw {
        Page { prefix: String::new(), content: reader::markdown(&answer.text) }
    } else {
        Page {
            prefix: format!(
                "Content type {} cannot be simplified to markdown, but here is the raw content:\n",
                answer.content_type
            ),
            content: answer.text,
        }
    })
}

fn is_html(answer: &Answer) -> bool {
    let head: String = answer.text.chars().take(100).collect();
    head.contains("<html") || answer.content_type.contains("text/html") || answer.content_type.is_empty()
}

/// Lets pass what the robots.txt of the URL's site lets a machine fetch by itself.
pub(crate) fn may_fetch(url: &Url, agent: &str) -> Result<(), Trouble> {
    let place = robots_url(url);
    let unreachable =
        || Trouble::Told(format!("Failed to fetch robots.txt {place} due to a connection issue"));
    let parsed = Url::parse(&place).map_err(|_| unreachable())?;
    let answer = web::get_followed(&parsed, agent, ROBOTS).map_err(|trouble| match trouble {
        Trouble::Failed(_) => unreachable(),
        other => other,
    })?;
    match answer.status {
        401 | 403 => {
            return Err(Trouble::Told(format!(
                "When fetching robots.txt ({place}), received status {} so assuming that autonomous fetching is not \
                 allowed, the user can try manually fetching by using the fetch prompt",
                answer.status
            )));
        }
        400..500 => return Ok(()),
        _ => {}
    }
    let text: Vec<&str> =
        robots::lines(&answer.text).filter(|line| !line.trim_start().starts_with('#')).collect();
    if Robots::parse(&text.join("\n")).allows(url, agent) {
        return Ok(());
    }
    Err(Trouble::Told(format!(
        "The sites robots.txt ({place}), specifies that autonomous fetching of this page is not allowed, \
         <useragent>{agent}</useragent>\n<url>{url}</url><robots>\n{}\n</robots>\n\
         The assistant must let the user know that it failed to view the page. The assistant may provide further guidance \
         based on the above information.\n\
         The assistant can tell the user that they can try manually fetching the page by using the fetch prompt within their UI.",
        answer.text
    )))
}

/// Where the site's robots.txt is. Of a URL that has no site, the same text that the reference makes of it.
fn robots_url(url: &Url) -> String {
    let rest = url.as_str().split_once(':').map_or("", |(_, rest)| rest);
    match rest.strip_prefix("//") {
        Some(rest) => {
            let site = rest.split(['/', '?', '#']).next().unwrap_or_default();
            format!("{}://{site}/robots.txt", url.scheme())
        }
        None => format!("{}:/robots.txt", url.scheme()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_site_has_its_robots_at_its_root() {
        for (url, place) in [
            ("http://h:8080/a?b#c", "http://h:8080/robots.txt"),
            ("https://h", "https://h/robots.txt"),
            ("file:///etc/passwd", "file:///robots.txt"),
            ("mailto:a@b", "mailto:/robots.txt"),
        ] {
            assert_eq!(robots_url(&Url::parse(url).unwrap()), place);
        }
    }
}
