//! Entries and values of TOML tables, changed so that comments and forms stay. Knows no grant.

use toml_edit::{Array, ArrayOfTables, Item, Table, TableLike, Value};

/// A list of these.
pub(super) fn list(texts: &[String]) -> Value {
    Value::Array(texts.iter().map(String::as_str).collect::<Array>())
}

/// The texts of a list; those of anything else are none.
pub(super) fn texts(item: Option<&Item>) -> Vec<String> {
    let array = item.and_then(Item::as_array);
    array.map(|array| array.iter().filter_map(Value::as_str).map(str::to_owned).collect()).unwrap_or_default()
}

/// Sets a value; one that was there leaves its comment to the new one.
pub(super) fn set(table: &mut dyn TableLike, key: &str, mut new: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        None => {
            table.insert(key, Item::Value(new));
        }
    }
}

/// Changes the first entry that fits; says whether there was one.
pub(super) fn change_first(
    section: &mut dyn TableLike,
    key: &str,
    fits: &dyn Fn(&dyn TableLike) -> bool,
    change: impl FnOnce(&mut dyn TableLike),
) -> bool {
    match section.get_mut(key) {
        Some(Item::ArrayOfTables(tables)) => {
            let found = tables.iter_mut().find(|table| fits(*table as &dyn TableLike));
            found.map(|table| change(table)).is_some()
        }
        Some(Item::Value(Value::Array(array))) => {
            let mut tables = array.iter_mut().filter_map(Value::as_inline_table_mut);
            let found = tables.find(|table| fits(*table as &dyn TableLike));
            found.map(|table| change(table)).is_some()
        }
        _ => false,
    }
}

/// Adds an entry at the end of a list, in the form that the list has.
pub(super) fn push(section: &mut dyn TableLike, key: &str, entry: Table) -> Option<()> {
    match section.get_mut(key) {
        Some(Item::ArrayOfTables(tables)) => tables.push(entry),
        Some(Item::Value(Value::Array(array))) => array.push(Value::InlineTable(entry.into_inline_table())),
        Some(_) => return None,
        None => {
            let mut tables = ArrayOfTables::new();
            tables.push(entry);
            section.insert(key, Item::ArrayOfTables(tables));
        }
    }
    Some(())
}
