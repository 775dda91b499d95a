//! Takes entries out of a TOML document without taking comments along that are not theirs: lines directly above an
//! entry go with it, what stands above a blank line stays.

use toml_edit::{Array, DocumentMut, Item, RawString, Table, TableLike, Value};

/// Comments that lost the entry below them, with the place of that entry in the document, if it had one.
#[derive(Debug, Default)]
pub(super) struct Left(Vec<(Option<isize>, String)>);

/// The part of what stands before an entry that is not the entry's own.
fn apart(prefix: Option<&RawString>) -> Option<String> {
    let text = prefix.and_then(RawString::as_str)?;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let end = lines.iter().rposition(|line| line.trim().is_empty())?;
    let kept = lines[..end].concat();
    kept.contains('#').then_some(kept)
}

impl Left {
    fn note_table(&mut self, table: &Table) {
        self.0.extend(apart(table.decor().prefix()).map(|text| (table.position(), text)));
        for (_, item) in table.iter() {
            match item {
                Item::Table(table) => self.note_table(table),
                Item::ArrayOfTables(tables) => tables.iter().for_each(|table| self.note_table(table)),
                _ => {}
            }
        }
    }

    fn note(&mut self, item: &Item) {
        match item {
            Item::Table(table) => self.note_table(table),
            Item::ArrayOfTables(tables) => tables.iter().for_each(|table| self.note_table(table)),
            _ => {}
        }
    }
}

/// Removes a key with all that is below it; nothing when it is not there.
pub(super) fn remove_key(table: &mut dyn TableLike, key: &str) -> Option<Left> {
    let mut left = Left::default();
    let names: Vec<String> = table.iter().map(|(name, _)| name.to_owned()).collect();
    let index = names.iter().position(|name| name == key)?;
    let own = table.key(key).and_then(|key| apart(key.leaf_decor().prefix()));
    left.note(&table.remove(key)?);
    if let Some(text) = own {
        match names.get(index + 1).filter(|next| table.get(next).is_some_and(Item::is_value)) {
            Some(next) => {
                if let Some(mut next) = table.key_mut(next) {
                    let decor = next.leaf_decor_mut();
                    let after = decor.prefix().and_then(RawString::as_str).unwrap_or_default();
                    let both = format!("{text}{after}");
                    decor.set_prefix(both);
                }
            }
            None => left.0.push((None, text)),
        }
    }
    Some(left)
}

/// Removes the entries of a list that fit, and the list when nothing is left; nothing when none fits.
pub(super) fn remove_entries(
    section: &mut dyn TableLike,
    key: &str,
    fits: &dyn Fn(&dyn TableLike) -> bool,
) -> Option<Left> {
    let mut left = Left::default();
    let (removed, empty) = match section.get_mut(key)? {
        Item::ArrayOfTables(tables) => {
            let before = tables.len();
            tables.retain(|table| {
                let goes = fits(table as &dyn TableLike);
                if goes {
                    left.note_table(table);
                }
                !goes
            });
            (tables.len() != before, tables.is_empty())
        }
        Item::Value(Value::Array(array)) => {
            let goes =
                |value: &Value| value.as_inline_table().is_some_and(|table| fits(table as &dyn TableLike));
            (remove_items(array, &goes), array.is_empty())
        }
        _ => return None,
    };
    if !removed {
        return None;
    }
    if empty {
        section.remove(key);
    }
    Some(left)
}

/// Removes the items of a list that fit; says whether any did. A comment at the end of a line goes with the item before
/// it, which has it behind its comma.
pub(super) fn remove_items(array: &mut Array, fits: &dyn Fn(&Value) -> bool) -> bool {
    fn lines(text: Option<&RawString>) -> (String, String) {
        let text = text.and_then(RawString::as_str).unwrap_or_default();
        let (first, rest) = text.split_at(text.find('\n').map_or(0, |end| end + 1));
        (first.to_owned(), rest.to_owned())
    }
    let before = array.len();
    loop {
        let found = array.iter().position(fits);
        let Some(index) = found else { return array.len() != before };
        let (of_the_one_before, _) = lines(array.remove(index).decor().prefix());
        match array.get_mut(index) {
            Some(next) => {
                let (_, rest) = lines(next.decor().prefix());
                next.decor_mut().set_prefix(of_the_one_before + &rest);
            }
            None => {
                let (_, rest) = lines(Some(array.trailing()));
                array.set_trailing(of_the_one_before + &rest);
            }
        }
    }
}

/// Puts comments that lost their entry before the next one, or at the document's end.
pub(super) fn keep(document: &mut DocumentMut, left: Left) {
    for (position, text) in left.0 {
        let next = position.and_then(|position| {
            let mut next = None;
            each(document.as_table_mut(), &mut |table| {
                next = [next, table.position().filter(|at| *at > position)].into_iter().flatten().min();
            });
            next
        });
        match next {
            Some(next) => each(document.as_table_mut(), &mut |table| {
                if table.position() == Some(next) {
                    let after = table.decor().prefix().and_then(RawString::as_str).unwrap_or_default();
                    let both = format!("{text}{after}");
                    table.decor_mut().set_prefix(both);
                }
            }),
            None => {
                let after = document.trailing().as_str().unwrap_or_default();
                let both = format!("{text}{after}");
                document.set_trailing(both);
            }
        }
    }
}

fn each(table: &mut Table, f: &mut dyn FnMut(&mut Table)) {
    f(table);
    for (_, item) in table.iter_mut() {
        match item {
            Item::Table(table) => each(table, f),
            Item::ArrayOfTables(tables) => tables.iter_mut().for_each(|table| each(table, f)),
            _ => {}
        }
    }
}
