//! Tables: cells, rows, and the line under the first row.

use super::{Converter, Id, trim};

/// The widest that a cell may say it is, as in the reference.
const WIDEST: usize = 1_000;

impl Converter<'_> {
    /// How many columns a cell takes.
    fn width(&self, id: Id) -> usize {
        let said = self
            .tree
            .attribute(id, "colspan")
            .filter(|text| !text.is_empty() && text.chars().all(|character| character.is_ascii_digit()));
        // So many digits are a large number.
        said.map_or(1, |text| text.parse().unwrap_or(WIDEST).clamp(1, WIDEST))
    }

    pub(super) fn cell(&self, id: Id, text: &str) -> String {
        format!(" {}{}", trim(text).replace('\n', " "), " |".repeat(self.width(id)))
    }

    pub(super) fn row(&self, id: Id, text: &str) -> String {
        let is = |id: Id, names: &[&str]| self.tree.name(Some(id)).is_some_and(|name| names.contains(&name));
        let cells: Vec<Id> = self.tree.descendants(id).filter(|id| is(*id, &["td", "th"])).collect();
        let columns: usize = cells.iter().map(|id| self.width(*id)).sum();
        let parent = self.tree.parent(id);
        let parent_is = |name| self.tree.name(parent) == Some(name);
        let first = self.is_first_element(id);
        let rows_of_parent =
            || parent.map_or(0, |id| self.tree.descendants(id).filter(|id| is(*id, &["tr"])).count());
        let is_head =
            cells.iter().all(|id| is(*id, &["th"])) || (parent_is("thead") && rows_of_parent() == 1);
        let lacks_head = first
            && (!parent_is("tbody")
                || parent
                    .and_then(|id| self.tree.parent(id))
                    .is_none_or(|table| !self.tree.descendants(table).any(|id| is(id, &["thead"]))));
        let begins_table =
            parent_is("table") || (parent_is("tbody") && parent.is_some_and(|id| self.is_first_element(id)));
        let rule = |cell: &str| format!("| {} |\n", vec![cell; columns].join(" | "));
        if is_head && first {
            format!("|{text}\n{}", rule("---"))
        } else if lacks_head || (first && begins_table) {
            format!("{}{}|{text}\n", rule(""), rule("---"))
        } else {
            format!("|{text}\n")
        }
    }

    /// Whether no element stands before it in its parent.
    fn is_first_element(&self, id: Id) -> bool {
        !std::iter::successors(self.tree.previous(id), |id| self.tree.previous(*id))
            .any(|id| self.tree.name(Some(id)).is_some())
    }
}
