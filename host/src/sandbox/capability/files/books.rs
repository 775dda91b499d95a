//! What a plugin has added to its directories, and which files its calls hold open. Counts only; must not
//! touch a file but to ask an open one whether it still has a name.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::grants::DiskQuota;

/// Device and number: what a file is, whatever it is called.
pub(super) type Inode = (u64, u64);

/// The books of one plugin, shared by its calls.
#[derive(Debug)]
pub(super) struct Books {
    accounts: Vec<Account>,
    open: Mutex<HashMap<Inode, usize>>,
    work: Mutex<()>,
}

/// What was added under one grant.
#[derive(Debug)]
struct Account {
    quota: DiskQuota,
    bytes: AtomicU64,
    files: AtomicU64,
}

impl Books {
    pub(super) fn new(quotas: Vec<DiskQuota>) -> Self {
        let account = |quota| Account { quota, bytes: AtomicU64::new(0), files: AtomicU64::new(0) };
        Self {
            accounts: quotas.into_iter().map(account).collect(),
            open: Mutex::default(),
            work: Mutex::default(),
        }
    }

    /// Held, on a thread that may block, around everything that changes the disk or opens a file, so that
    /// what is counted is what happened: without it two calls that truncate and write one file at once
    /// could add bytes that neither is counted for.
    pub(super) fn work(&self) -> MutexGuard<'_, ()> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Books `n` bytes more, or fails as a full disk does.
    pub(super) fn take_bytes(&self, account: usize, n: u64) -> io::Result<()> {
        let account = self.account(account)?;
        take(&account.bytes, n, guarded!("quota-bytes", account.quota.bytes, without u64::MAX))
    }

    /// Books `n` bytes less. What is removed over what was added gives no credit.
    pub(super) fn give_bytes(&self, account: usize, n: u64) {
        if let Some(account) = self.accounts.get(account) {
            give(&account.bytes, n);
        }
    }

    /// Books one file or directory more, or fails as a full disk does.
    pub(super) fn take_file(&self, account: usize) -> io::Result<()> {
        let account = self.account(account)?;
        take(&account.files, 1, guarded!("quota-files", account.quota.files, without u64::MAX))
    }

    /// Books one file or directory less.
    pub(super) fn give_file(&self, account: usize) {
        if let Some(account) = self.accounts.get(account) {
            give(&account.files, 1);
        }
    }

    fn account(&self, account: usize) -> io::Result<&Account> {
        self.accounts.get(account).ok_or_else(|| rustix::io::Errno::BADF.into())
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Inode, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn added(&self, account: usize) -> (u64, u64) {
        (self.accounts[account].bytes.load(Relaxed), self.accounts[account].files.load(Relaxed))
    }
}

fn take(used: &AtomicU64, n: u64, quota: u64) -> io::Result<()> {
    used.fetch_update(Relaxed, Relaxed, |used| used.checked_add(n).filter(|used| *used <= quota))
        .map(drop)
        .map_err(|_| rustix::io::Errno::NOSPC.into())
}

fn give(used: &AtomicU64, n: u64) {
    // The closure always gives a value, so the update cannot fail.
    let _ = used.fetch_update(Relaxed, Relaxed, |used| Some(used.saturating_sub(n)));
}

/// A file that a call holds open, by a descriptor or a stream. A file that was removed takes room until
/// the last of these is gone, and is given back then and only then: else a plugin could fill a disk with
/// files it removed and kept open.
#[derive(Debug)]
pub(super) struct Opened {
    books: Arc<Books>,
    account: usize,
    file: Arc<File>,
    inode: Inode,
}

impl Opened {
    pub(super) fn books(&self) -> &Books {
        &self.books
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Which file it is.
    pub(super) fn inode(&self) -> Inode {
        self.inode
    }

    /// Notes that `file` is open. To be called with [`Books::work`] held since before it was opened.
    pub(super) fn note(books: &Arc<Books>, account: usize, file: Arc<File>) -> io::Result<Self> {
        let found = file.metadata()?;
        let inode = (found.dev(), found.ino());
        *books.open().entry(inode).or_default() += 1;
        Ok(Self { books: Arc::clone(books), account, file, inode })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // The question whether the file has a name is asked under the lock, so that of two that close
        // it only the last can find it gone.
        let mut open = self.books.open();
        if let Entry::Occupied(mut count) = open.entry(self.inode) {
            *count.get_mut() -= 1;
            if *count.get() > 0 {
                return;
            }
            count.remove();
        }
        if let Ok(found) = self.file.metadata()
            && found.is_file()
            && guarded!("removed-files", found.nlink() == 0)
        {
            self.books.give_bytes(self.account, found.len());
            self.books.give_file(self.account);
        }
    }
}
