//! Lists in pages. A cursor names the last item that was given, so that it holds its place whatever is added or
//! removed meanwhile, by any process and after any restart. Knows nothing of what is listed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rmcp::model::{ErrorData, PaginatedRequestParams};

/// A part of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<'a, T> {
    pub(super) items: &'a [T],
    /// Where the next page begins; none after the last.
    pub(super) next: Option<String>,
}

/// The page that a request asks for, of a list that is sorted by `key`. `kind` keeps one list's cursors from
/// another's.
///
/// # Errors
/// When the cursor is none of this list's.
pub(super) fn page<'a, T>(
    items: &'a [T],
    key: impl Fn(&T) -> &str,
    kind: &str,
    request: Option<&PaginatedRequestParams>,
    size: usize,
) -> Result<Page<'a, T>, ErrorData> {
    let begin = match request.and_then(|request| request.cursor.as_deref()) {
        None => 0,
        Some(cursor) => {
            let last = read(cursor, kind).ok_or_else(|| {
                ErrorData::invalid_params("unknown cursor: it is not one that this list gave out", None)
            })?;
            items.partition_point(|item| key(item) <= last.as_str())
        }
    };
    let end = begin.saturating_add(size.max(1)).min(items.len());
    let items_here = &items[begin..end];
    let next = (end < items.len()).then(|| items_here.last().map(|last| write(kind, key(last)))).flatten();
    Ok(Page { items: items_here, next })
}

fn write(kind: &str, last: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{kind}\n{last}"))
}

fn read(cursor: &str, kind: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (of, last) = text.split_once('\n')?;
    (of == kind && !last.is_empty()).then(|| last.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn asking(cursor: Option<String>) -> PaginatedRequestParams {
        PaginatedRequestParams::default().with_cursor(cursor)
    }

    fn get<'a>(
        items: &'a [String],
        cursor: Option<String>,
        size: usize,
    ) -> Result<Page<'a, String>, ErrorData> {
        page(items, |item| item, "tools", Some(&asking(cursor)), size)
    }

    #[test]
    fn a_cursor_of_another_list_or_of_nobody_is_refused() {
        let items: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        let next = get(&items, None, 1).unwrap().next;
        assert!(page(&items, |item| item, "prompts", Some(&asking(next.clone())), 1).is_err());
        assert_eq!(get(&items, next, 1).unwrap().items, ["b"]);
        for bad in ["", "x", "AAAA", "dG9vbHM", "dG9vbHMK", "🐕", &"A".repeat(9999)] {
            assert_eq!(get(&items, Some(bad.into()), 1).unwrap_err().code.0, -32602, "{bad:.20}");
        }
    }

    proptest! {
        /// What is there from the first page to the last is given exactly once, in order, whatever comes and goes
        /// in between.
        #[test]
        fn pages_miss_nothing_and_repeat_nothing(
            names in proptest::collection::btree_set("[a-z🐕]{1,3}", 0..40),
            changes in proptest::collection::vec(("[a-z🐕]{1,3}", any::<bool>()), 0..30),
            size in 1_usize..7,
        ) {
            let mut now: BTreeSet<String> = names.clone();
            let mut always = names;
            let (mut seen, mut cursor, mut changes) = (vec![], None, changes.into_iter());
            loop {
                let items: Vec<String> = now.iter().cloned().collect();
                let page = get(&items, cursor, size).unwrap();
                prop_assert!(page.items.len() <= size);
                seen.extend(page.items.iter().cloned());
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
                if let Some((name, add)) = changes.next() {
                    if add { now.insert(name); } else { now.remove(&name); always.remove(&name); }
                }
            }
            prop_assert!(seen.is_sorted() && seen.windows(2).all(|two| two[0] != two[1]));
            prop_assert!(always.iter().all(|name| seen.contains(name)));
        }
    }
}
