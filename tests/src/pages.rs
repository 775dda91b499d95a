//! A web site for browsers: a table of pages, and a few paths that go wrong in a way of their own.
//! It must not know a plugin.

use std::time::Duration;

use crate::web::{Answer, WebServer};

const HTML: &str = "text/html; charset=utf-8";
/// Longer than any test waits.
const EVER: Duration = Duration::from_secs(600);

/// A site with these pages: a path with its slash, and HTML.
///
/// Besides them: `/redirect/PATH` leads to `/PATH`, `/silent` takes the request and says nothing, `/cut` ends in the
/// middle of its body, `/empty` hangs up without a word. Everything else is a 404 with a body.
pub fn pages(pages: &[(&str, &str)]) -> WebServer {
    let pages: Vec<(String, String)> =
        pages.iter().map(|(path, html)| ((*path).to_owned(), (*html).to_owned())).collect();
    WebServer::clear(move |asked| {
        let html = |text: &str| Answer::of(HTML, text);
        match asked.target.as_str() {
            "/silent" => Answer::nothing().slow(EVER),
            "/cut" => html("<p>the first half of a page, and the second").cut(),
            "/empty" => Answer::nothing(),
            path => match (pages.iter().find(|(known, _)| known == path), path.strip_prefix("/redirect")) {
                (Some((_, text)), _) => html(text),
                (None, Some(to)) => Answer::redirect(to),
                (None, None) => Answer::status(404).header("content-type", "text/html").body("<p>Not found"),
            },
        }
    })
}
