#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs::File;
use std::path::Path;

use super::super::books::Books;
use super::*;
use crate::grants::DiskQuota;

fn opened(books: &Arc<Books>, path: &Path) -> Arc<Opened> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap();
    Arc::new(Opened::note(books, 0, Arc::new(file)).unwrap())
}

fn books() -> Arc<Books> {
    Arc::new(Books::new(vec![DiskQuota { bytes: 0, files: 0 }]))
}

/// What SQLite itself finds: whether it may read, and whether it may write.
fn sqlite_may(path: &Path) -> (bool, bool) {
    let database = rusqlite::Connection::open(path).unwrap();
    database.busy_timeout(Duration::ZERO).unwrap();
    let read = database.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(())).is_ok();
    (read, database.execute_batch("BEGIN EXCLUSIVE; ROLLBACK").is_ok())
}

/// SQLite sees our locks for what they are, and what closes another opening of the file takes none of them away.
#[tokio::test]
async fn sqlite_is_kept_out_until_the_call_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let (file, mut call) = (opened(&books(), &path), Locks::default());
    assert_eq!(sqlite_may(&path), (true, true));
    call.take(&file, Hold::Shared).await.unwrap();
    assert_eq!(sqlite_may(&path), (true, false));
    drop(File::open(&path).unwrap());
    assert_eq!(sqlite_may(&path), (true, false));
    // More of it, by another opening in the same call.
    call.take(&opened(&books(), &path), Hold::Alone).await.unwrap();
    drop(file);
    assert_eq!(sqlite_may(&path), (false, false));
    call.take(&opened(&books(), &path), Hold::Shared).await.unwrap();
    assert_eq!(sqlite_may(&path), (false, false), "what is held is not given back for less");
    drop(call);
    assert_eq!(sqlite_may(&path), (true, true));
}

/// What SQLite has, a call does not get: it waits, and then is refused.
#[tokio::test]
async fn a_file_that_sqlite_has_is_refused_after_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let file = opened(&books(), &path);
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute_batch("CREATE TABLE t (x); BEGIN; SELECT * FROM t").unwrap();
    let mut call = Locks::default();
    call.take(&file, Hold::Shared).await.unwrap();
    drop(call);
    let begun = Instant::now();
    let refused = Locks::default().take(&file, Hold::Alone).await;
    assert!(matches!(refused, Err(Refused::InUse)), "{refused:?}");
    assert!(begun.elapsed() >= PATIENCE);
    // As soon as SQLite lets go.
    let waiting = tokio::spawn(async move { Locks::default().take(&file, Hold::Alone).await.is_ok() });
    tokio::time::sleep(PAUSE * 5).await;
    drop(database);
    assert!(waiting.await.unwrap());
}

#[tokio::test]
async fn a_call_holds_so_many_and_no_more() {
    let (folder, books, mut call) = (tempfile::tempdir().unwrap(), books(), Locks::default());
    for number in 0..MOST {
        call.take(&opened(&books, &folder.path().join(number.to_string())), Hold::Alone).await.unwrap();
    }
    let more = call.take(&opened(&books, &folder.path().join("more")), Hold::Alone).await;
    assert!(matches!(more, Err(Refused::TooMany)), "{more:?}");
    call.take(&opened(&books, &folder.path().join("0")), Hold::Alone).await.unwrap();
}
