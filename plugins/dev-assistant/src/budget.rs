//! How many bytes one call goes through, so that a large project gives a part of the answer, and a word on the rest, instead
//! of no answer when the call's fuel ends. Must not know what is done with them.

/// What is searched in a call unless set: at some 25 units of fuel a byte, half of a call's default.
pub(crate) const SEARCH: u64 = 16 << 20;

/// What is parsed in a call unless set: at up to 3 600 units of fuel a byte, two thirds of a call's default.
pub(crate) const PARSE: u64 = 192 << 10;

/// Bytes that are left.
#[derive(Debug)]
pub(crate) struct Budget {
    most: u64,
    left: u64,
}

impl Budget {
    /// So many bytes.
    pub(crate) const fn new(most: u64) -> Self {
        Self { most, left: most }
    }

    /// Takes some, unless there are not so many left.
    pub(crate) const fn take(&mut self, bytes: u64) -> bool {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    /// What there was at first, for a person.
    pub(crate) fn most(&self) -> String {
        match self.most {
            most if most < 1 << 20 => format!("{} KiB", most >> 10),
            most => format!("{} MiB", most >> 20),
        }
    }
}
