//! Lists that a service gives page by page: followed until there are no more, or as many items as wanted. How far it is
//! goes to the client as progress.
//! Must not leave the service: a next page elsewhere is refused, whatever is granted.

use serde_json::Value;

use super::{ApiError, Call, Kind, Reply, wait};
use crate::http::HttpError;
use crate::http::same_origin;

/// The most pages of one list, whatever their size.
const MOST_PAGES: u32 = 50;

/// How a service names its next page in the answer's JSON.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    /// Where the items are (RFC 6901), as in `/channels`.
    pub items: &'a str,
    /// Where the next page's cursor is; empty or missing on the last page.
    pub next: &'a str,
    /// The query's name for it.
    pub query: &'a str,
}

/// A list, as far as it was followed.
#[derive(Debug, Clone, PartialEq)]
pub struct Pages {
    /// The items.
    pub items: Vec<Value>,
    /// Whether the service has more.
    pub more: bool,
}

impl Pages {
    fn add(&mut self, items: Option<&Value>, most: usize) -> bool {
        let Some(items) = items.and_then(Value::as_array) else { return false };
        let room = most.saturating_sub(self.items.len());
        self.more = items.len() > room;
        self.items.extend(items.iter().take(room).cloned());
        true
    }
}

impl Call<'_> {
    /// Follows a list that is the answer itself by the `Link` header (RFC 8288), until there are `most` items, the
    /// pages end, or the service has no requests left for us.
    ///
    /// # Errors
    /// Any [`ApiError`].
    pub fn pages(self, most: usize) -> Result<Pages, ApiError> {
        let api = self.api();
        let mut all = Pages { items: Vec::new(), more: false };
        let mut reply = self.reply()?;
        for page in 1..=MOST_PAGES {
            if !all.add(Some(&reply.read::<Value>()?), most) {
                return Err(no_list(api.service));
            }
            let Some(next) = reply.header("link").and_then(next_link) else { return Ok(all) };
            all.more = true;
            if all.items.len() >= most || page == MOST_PAGES || exhausted(&reply) {
                return Ok(all);
            }
            let next = next.to_owned();
            if !same_origin(api.base(), &next)
                .map_err(|error: HttpError| ApiError::transport(api.service, &error))?
            {
                let why = format!("the next page is at another host: {next}");
                return Err(ApiError::new(api.service, Kind::Unreadable, why));
            }
            crate::progress(f64::from(page), None, format!("page {page} of {}", api.service).as_str());
            reply = api.get(&next).reply()?;
        }
        Ok(all)
    }

    /// The same for a service that names the next page in its answer.
    ///
    /// # Errors
    /// Any [`ApiError`].
    pub fn cursor(self, cursor: Cursor<'_>, most: usize) -> Result<Pages, ApiError> {
        let service = self.api().service;
        let mut all = Pages { items: Vec::new(), more: false };
        let mut call = self.clone();
        for page in 1..=MOST_PAGES {
            let reply = call.reply()?;
            let answer: Value = reply.read()?;
            if !all.add(answer.pointer(cursor.items), most) {
                return Err(no_list(service));
            }
            let next = answer.pointer(cursor.next).and_then(Value::as_str).filter(|next| !next.is_empty());
            let Some(next) = next else { return Ok(all) };
            all.more = true;
            if all.items.len() >= most || exhausted(&reply) {
                return Ok(all);
            }
            crate::progress(f64::from(page), None, format!("page {page} of {service}").as_str());
            call = self.clone().query(cursor.query, next);
        }
        Ok(all)
    }
}

fn no_list(service: &str) -> ApiError {
    ApiError::new(service, Kind::Unreadable, "a list was expected")
}

fn exhausted(reply: &Reply) -> bool {
    wait::used_up(|name| reply.header(name))
}

/// The target of the link whose relation is `next`.
fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let (_, after) = rest.split_once('<')?;
        let (target, after) = after.split_once('>')?;
        // Parameters end where the next link begins: a `<` cannot stand in them unquoted, and services quote no such.
        let parameters = after.split_once('<').map_or(after, |(parameters, _)| parameters);
        let is_next = parameters.split(';').any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            let value = value.trim().trim_end_matches(',').trim_end().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && value.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(target);
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_next_link_is_found() {
        let github = r#"<https://h/x?page=1>; rel="prev", <https://h/x?page=3>; rel="next", <https://h/x?page=9>; rel="last""#;
        assert_eq!(next_link(github), Some("https://h/x?page=3"));
        assert_eq!(next_link("<a>; rel=next"), Some("a"));
        assert_eq!(next_link(r#"<a>; title="x"; rel="last next""#), Some("a"));
        assert_eq!(next_link(r#"<a>; rel="last""#), None);
        assert_eq!(next_link("nonsense"), None);
    }

    #[test]
    fn items_have_a_bound() {
        let mut all = Pages { items: Vec::new(), more: false };
        assert!(all.add(Some(&serde_json::json!([1, 2, 3])), 5) && !all.more);
        assert!(all.add(Some(&serde_json::json!([4, 5, 6])), 5) && all.more);
        assert_eq!(all.items.len(), 5);
        assert!(!all.add(Some(&serde_json::json!({})), 5) && !all.add(None, 5));
    }
}
