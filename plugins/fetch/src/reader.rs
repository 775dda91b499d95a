//! What a page says, without what stands around it: Mozilla's reader view, then Markdown.
//! Must not fail: of a page that says nothing it says so.

use dom_smoothie::{Config, Readability};

use crate::markdown;

/// What is said of a page that says nothing.
const FAILED: &str = "<error>Page failed to be simplified from HTML</error>";

/// The article in a page, as Markdown.
pub(crate) fn markdown(html: &str) -> String {
    // Every candidate is judged by its links, as in the original; the port spares that for the lesser ones.
    let config = Config { min_score_to_adjust: f32::NEG_INFINITY, ..Config::default() };
    let article = Readability::new(html.trim(), None, Some(config)).and_then(|mut reader| reader.parse());
    match article {
        // Pictures without a word are no article.
        Ok(article) if !article.text_content.trim().is_empty() => markdown::of(&article.content),
        _ => FAILED.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_said_to() {
        assert_eq!(markdown(""), FAILED);
        assert_eq!(markdown("<html><body><img src=x></body></html>"), FAILED);
        assert_eq!(markdown("<html><body><script>x</script></body></html>"), FAILED);
    }

    #[test]
    fn the_article_is_found_among_what_stands_around_it() {
        let text =
            "This is a sentence of the article, with a comma, and some more words to count. ".repeat(9);
        let page = format!(
            "<html><body><nav class=menu><a href=/>Home</a></nav><article><h2>Title</h2><p>{text}</p><p>{text}</p></article>\
             <footer>Imprint</footer></body></html>"
        );
        let markdown = markdown(&page);
        assert!(markdown.contains("## Title") && markdown.contains("This is a sentence"), "{markdown}");
        assert!(!markdown.contains("Home") && !markdown.contains("Imprint"), "{markdown}");
    }
}
