//! `sqlite` through the binary: what the published server does not have, and above all that the file is safe beside `sqlite3`
//! and other hosts. Other programs are played by Python's `sqlite3`. Its answers are compared in `differential`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use kennel_tests::grants::{each_is_needed, tool_text};
use kennel_tests::{Client, Home, python};
use serde_json::{Value, json};

/// Another program with the database open: statements in, one line of JSON out for each: the rows, or `{"error": …}`.
const OTHER: &str = r#"
import json, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=float(sys.argv[2]))
for line in sys.stdin:
    try:
        print(json.dumps(database.execute(json.loads(line)).fetchall()), flush=True)
    except sqlite3.Error as error:
        print(json.dumps({"error": str(error)}), flush=True)
database.close()
"#;

/// A `sqlite3` beside Kennel. Ends when dropped, as a process does that is killed.
struct Other {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Other {
    /// On this file; waits so many seconds for others.
    fn open(path: &Path, patience: f64) -> Self {
        let mut child = Command::new(python())
            .args(["-c", OTHER])
            .arg(path)
            .arg(patience.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    fn run(&mut self, sql: &str) -> Value {
        let mut input = self.child.stdin.as_ref().unwrap();
        writeln!(input, "{}", Value::from(sql)).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{sql}: {line:?}"))
    }

    /// Ends as a program does that closes its database.
    fn close(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // Already over when it was closed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn grant(folder: &Path, mode: &str, more: &str) -> String {
    let folder = Value::from(folder.to_str().unwrap());
    format!(
        "[[plugins.sqlite.directories]]\npath = {folder}\nas = \"/db\"\nmode = \"{mode}\"\nlock = \"sqlite\"\n{more}\n"
    )
}

/// A home with the plugin over `folder`.
fn home(folder: &Path, mode: &str, more: &str) -> Home {
    let home = Home::new("sqlite");
    let grant = grant(folder, mode, "");
    home.plugin("sqlite")
        .config(&format!(
            "[plugins.sqlite]\nprefix = \"\"\nsettings = {{ db-path = \"/db/x.db\" }}\nstate = {{ quota = \"1MiB\" }}\n{more}\n{grant}"
        ))
        .approve();
    home
}

fn connect(home: &Home) -> Client {
    let client = home.serve();
    client.initialize();
    client
}

fn query(client: &Client, tool: &str, sql: &str) -> String {
    tool_text(client, tool, &json!({ "query": sql })).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn read(client: &Client, sql: &str) -> String {
    query(client, "read_query", sql)
}

fn write(client: &Client, sql: &str) -> String {
    query(client, "write_query", sql)
}

fn create(client: &Client, sql: &str) {
    assert_eq!(query(client, "create_table", sql), "Table created successfully");
}

#[test]
fn it_needs_each_of_its_grants() {
    let files = Home::new("sqlite-files");
    let directory = grant(&files.folder("db"), "read-write", "");
    let grants = [
        ("no directory is granted", directory.as_str()),
        ("state is not granted", "[plugins.sqlite.state]\nquota = \"1MiB\""),
    ];
    each_is_needed("sqlite", "", &grants, |client| {
        let told = |text: String| if text.contains("error") { Err(text) } else { Ok(()) };
        told(tool_text(client, "create_table", &json!({ "query": "CREATE TABLE IF NOT EXISTS t (a)" }))?)?;
        told(tool_text(client, "write_query", &json!({ "query": "INSERT INTO t VALUES (1)" }))?)?;
        tool_text(client, "append_insight", &json!({ "insight": "x" })).map(drop)
    });
    assert!(
        files.folder("db").join("sqlite_mcp_server.db").exists(),
        "the file is called as the original calls it"
    );
}

#[test]
fn sqlite3_reads_and_writes_the_same_file() {
    let files = Home::new("sqlite-files");
    let folder = files.folder("db");
    let mut other = Other::open(&folder.join("x.db"), 60.0);
    other.run("CREATE TABLE t (a INTEGER PRIMARY KEY, b)");
    other.run("INSERT INTO t VALUES (1, 'theirs')");
    let home = home(&folder, "read-write", "");
    let client = connect(&home);
    assert_eq!(read(&client, "SELECT * FROM t"), "[{'a': 1, 'b': 'theirs'}]");
    assert_eq!(write(&client, "INSERT INTO t VALUES (2, 'ours')"), "[{'affected_rows': 1}]");
    assert_eq!(other.run("SELECT a, b FROM t"), json!([[1, "theirs"], [2, "ours"]]));
    other.run("UPDATE t SET b = 'again' WHERE a = 2");
    assert_eq!(read(&client, "SELECT b FROM t WHERE a = 2"), "[{'b': 'again'}]");
    assert_eq!(other.run("PRAGMA integrity_check"), json!([["ok"]]));
    let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["x.db"], "nothing is left beside the database");
}

#[test]
fn a_busy_file_is_refused_and_not_hung() {
    let files = Home::new("sqlite-files");
    let folder = files.folder("db");
    let mut other = Other::open(&folder.join("x.db"), 60.0);
    other.run("CREATE TABLE t (a)");
    let home = home(&folder, "read-write", "limits = { deadline = \"60s\" }");
    let client = connect(&home);
    read(&client, "SELECT * FROM t");

    other.run("BEGIN EXCLUSIVE");
    let busy = "Database error: database is locked: /db/x.db is in use by another process; try again";
    let begun = Instant::now();
    assert_eq!(read(&client, "SELECT * FROM t"), busy);
    assert_eq!(write(&client, "INSERT INTO t VALUES (1)"), busy);
    assert!(begun.elapsed() < Duration::from_secs(50), "it waits a while and no longer");
    other.run("COMMIT");
    assert_eq!(write(&client, "INSERT INTO t VALUES (1)"), "[{'affected_rows': 1}]");

    // A reader keeps writers out, and no readers.
    other.run("BEGIN");
    other.run("SELECT * FROM t");
    assert_eq!(read(&client, "SELECT * FROM t"), "[{'a': 1}]");
    assert_eq!(write(&client, "INSERT INTO t VALUES (2)"), busy);
    other.run("COMMIT");
    assert_eq!(write(&client, "INSERT INTO t VALUES (2)"), "[{'affected_rows': 1}]");
    let denied: Vec<_> = home
        .audit()
        .iter()
        .filter(|line| line.to_string().contains("in use by another process"))
        .cloned()
        .collect();
    assert_eq!(denied.len(), 3, "the audit says so");
}

#[test]
fn a_lock_ends_with_its_call_however_that_ends() {
    let files = Home::new("sqlite-files");
    let folder = files.folder("db");
    let home = home(&folder, "read-write", "limits = { deadline = \"20s\", fuel = 1000000000000 }");
    let client = connect(&home);
    create(&client, "CREATE TABLE t (a)");
    let mut other = Other::open(&folder.join("x.db"), 0.0);
    let endless =
        "INSERT INTO t WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c";
    let locked = |other: &mut Other| other.run("BEGIN IMMEDIATE")["error"] == "database is locked";
    let until = |wanted: bool, other: &mut Other| {
        let end = Instant::now() + Duration::from_secs(60);
        while locked(other) != wanted {
            // It was not locked, so this has to be undone.
            other.run("ROLLBACK");
            assert!(Instant::now() < end, "locked is not {wanted}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };

    // Its deadline.
    let call = client.send("tools/call", Client::call_params("write_query", &json!({ "query": endless })));
    until(true, &mut other);
    let ended = client.wait(call).unwrap();
    assert_eq!(ended["isError"], true, "{ended}");
    until(false, &mut other);
    other.run("ROLLBACK");
    assert_eq!(other.run("SELECT count(*) FROM t"), json!([[0]]), "what was begun is undone");

    // Cancelled.
    let call = client.send("tools/call", Client::call_params("write_query", &json!({ "query": endless })));
    until(true, &mut other);
    client.cancel(call);
    until(false, &mut other);
    other.run("ROLLBACK");

    // The host itself dies.
    client.send("tools/call", Client::call_params("write_query", &json!({ "query": endless })));
    until(true, &mut other);
    drop(client);
    until(false, &mut other);
    other.run("ROLLBACK");
    assert_eq!(other.run("PRAGMA integrity_check"), json!([["ok"]]));
    assert_eq!(read(&connect(&home), "SELECT count(*) AS n FROM t"), "[{'n': 0}]");
}

/// An instance that may live for more calls is not kept with its lock.
#[test]
fn a_lock_ends_with_its_call_where_instances_live_longer() {
    let files = Home::new("sqlite-files");
    let folder = files.folder("db");
    let limits = "limits = { instance-calls = 100, instance-idle = \"10m\" }";
    let home = home(&folder, "read-write", limits);
    let client = connect(&home);
    create(&client, "CREATE TABLE t (a)");
    let mut other = Other::open(&folder.join("x.db"), 0.0);
    for n in 1..=3 {
        write(&client, "INSERT INTO t VALUES (1)");
        assert_eq!(other.run("INSERT INTO t VALUES (2)"), json!([]), "turn {n}");
    }
    assert_eq!(read(&client, "SELECT count(*) AS n FROM t"), "[{'n': 6}]");
}

/// Two hosts and two `sqlite3` write and read the same file at once: every row that was acknowledged is there, once.
#[test]
fn writers_at_once_never_corrupt() {
    const ROWS: usize = 25;
    let files = Home::new("sqlite-files");
    let folder = files.folder("db");
    let path = folder.join("x.db");
    // Pages of the smallest size, and an index, so that a row touches several.
    let mut first = Other::open(&path, 60.0);
    first.run("PRAGMA page_size = 512");
    first.run("CREATE TABLE t (who TEXT, n INTEGER, filler TEXT, UNIQUE (who, n))");
    let insert = |who: &str, n: usize| format!("INSERT INTO t VALUES ('{who}', {n}, hex(randomblob(400)))");
    // Nobody begins before all can, and the quick ones go on as long as the slow ones do.
    let (ready, at_work) = (Barrier::new(4), AtomicUsize::new(2));
    let counts: Vec<Value> = std::thread::scope(|scope| {
        let kennels = ["kennel-1", "kennel-2"].map(|who| {
            let (folder, insert, ready, at_work) = (&folder, &insert, &ready, &at_work);
            scope.spawn(move || {
                let home = home(folder, "read-write", "limits = { deadline = \"120s\" }");
                let client = connect(&home);
                read(&client, "SELECT 1");
                ready.wait();
                for n in 0..ROWS {
                    let end = Instant::now() + Duration::from_secs(120);
                    loop {
                        match write(&client, &insert(who, n)).as_str() {
                            "[{'affected_rows': 1}]" => break,
                            busy if busy.contains("in use by another process") => {
                                assert!(Instant::now() < end);
                            }
                            other => panic!("{who} {n}: {other}"),
                        }
                    }
                    let seen = read(&client, &format!("SELECT count(*) AS n FROM t WHERE who = '{who}'"));
                    let right = seen == format!("[{{'n': {}}}]", n + 1) || seen.contains("in use");
                    assert!(right, "{who} {n}: {seen}");
                }
                at_work.fetch_sub(1, Relaxed);
                json!([who, ROWS])
            })
        });
        let others = ["sqlite3-1", "sqlite3-2"].map(|who| {
            let (path, insert, ready, at_work) = (&path, &insert, &ready, &at_work);
            scope.spawn(move || {
                let mut other = Other::open(path, 120.0);
                ready.wait();
                let mut n = 0;
                while n < ROWS || (at_work.load(Relaxed) > 0 && n < 10_000) {
                    assert_eq!(other.run(&insert(who, n)), json!([]), "{who} {n}");
                    n += 1;
                    std::thread::sleep(Duration::from_millis(5));
                }
                other.close();
                json!([who, n])
            })
        });
        kennels.into_iter().chain(others).map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(first.run("PRAGMA integrity_check"), json!([["ok"]]));
    assert_eq!(first.run("SELECT who, count(*) FROM t GROUP BY who ORDER BY who"), Value::from(counts));
}

#[test]
fn a_read_only_grant_reads_and_changes_nothing() {
    let files = Home::new("sqlite-files");
    let folder = files.folder("db");
    let home = home(&folder, "read-only", "limits = { deadline = \"60s\" }");
    let client = connect(&home);
    assert!(read(&client, "SELECT 1").contains("there is no such file, and none may be made"));
    let mut other = Other::open(&folder.join("x.db"), 60.0);
    other.run("CREATE TABLE t (a)");
    other.run("INSERT INTO t VALUES (5)");
    assert_eq!(read(&client, "SELECT a FROM t"), "[{'a': 5}]");
    assert_eq!(
        write(&client, "DELETE FROM t"),
        "Database error: attempt to write a readonly database: writing to /db/x.db was not granted"
    );

    // A writer that is at work has a journal, which is not taken for one of a writer that died.
    other.run("PRAGMA cache_size = 1");
    other.run("BEGIN IMMEDIATE");
    other.run("INSERT INTO t VALUES (6)");
    assert!(folder.join("x.db-journal").exists());
    let refused = read(&client, "SELECT a FROM t");
    assert!(refused.contains("a writer is at work or was interrupted"), "{refused}");
    other.run("COMMIT");
    assert_eq!(read(&client, "SELECT max(a) AS m FROM t"), "[{'m': 6}]");

    other.run("PRAGMA journal_mode = WAL");
    other.close();
    let refused = read(&client, "SELECT a FROM t");
    assert!(refused.contains("it has a write-ahead log"), "{refused}");
}

/// What a writer left that died is undone by the plugin, also when it only came to read.
#[test]
fn what_a_writer_left_that_died_is_undone() {
    let files = Home::new("sqlite-files");
    let folder = files.folder("db");
    let mut other = Other::open(&folder.join("x.db"), 60.0);
    other.run("CREATE TABLE t (a)");
    other.run("INSERT INTO t WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 20000) SELECT n FROM c");
    other.run("PRAGMA cache_size = 1");
    other.run("PRAGMA cache_spill = 1");
    other.run("BEGIN EXCLUSIVE");
    other.run("UPDATE t SET a = -a");
    drop(other);
    assert!(folder.join("x.db-journal").metadata().unwrap().len() > 0, "it was in the middle");
    let home = home(&folder, "read-write", "");
    let client = connect(&home);
    assert_eq!(read(&client, "SELECT count(*) AS n, min(a) AS least FROM t"), "[{'n': 20000, 'least': 1}]");
    assert!(!folder.join("x.db-journal").exists());
}

/// A database that `sqlite3` keeps with a write-ahead log stays one, and is used while nobody else has it open.
#[test]
fn a_write_ahead_log_is_written_back() {
    let files = Home::new("sqlite-files");
    let folder = files.folder("db");
    let mut other = Other::open(&folder.join("x.db"), 60.0);
    other.run("PRAGMA journal_mode = WAL");
    other.run("CREATE TABLE t (a)");
    other.run("INSERT INTO t VALUES (1)");
    let home = home(&folder, "read-write", "limits = { deadline = \"60s\" }");
    let client = connect(&home);
    assert!(read(&client, "SELECT * FROM t").contains("in use by another process"));
    // Killed, so that its log is not written back by itself.
    drop(other);
    assert!(folder.join("x.db-wal").exists());
    assert_eq!(read(&client, "SELECT * FROM t"), "[{'a': 1}]");
    assert_eq!(write(&client, "INSERT INTO t VALUES (2)"), "[{'affected_rows': 1}]");
    assert_eq!(read(&client, "SELECT * FROM t"), "[{'a': 1}, {'a': 2}]");
    let mut other = Other::open(&folder.join("x.db"), 60.0);
    assert_eq!(other.run("SELECT a FROM t"), json!([[1], [2]]));
    assert_eq!(other.run("PRAGMA journal_mode"), json!([["wal"]]));
    assert_eq!(other.run("PRAGMA integrity_check"), json!([["ok"]]));
}

#[test]
fn nothing_outside_the_folder_is_reached() {
    let files = Home::new("sqlite-files");
    let folder = files.folder("db");
    let secret = files.folder("elsewhere").join("secret.db");
    Other::open(&secret, 60.0).run("CREATE TABLE s (a)");
    let home = home(&folder, "read-write", "");
    let client = connect(&home);
    create(&client, "CREATE TABLE t (a)");
    for path in [secret.to_str().unwrap(), "/db/../elsewhere/secret.db", "/etc/passwd"] {
        let answer = write(&client, &format!("ATTACH '{path}' AS other"));
        assert!(answer.starts_with("Database error: unable to open database"), "{path}: {answer}");
    }
    assert!(write(&client, "VACUUM INTO '/tmp/copy.db'").starts_with("Database error: "));
    std::os::unix::fs::symlink(&secret, folder.join("link.db")).unwrap();
    assert!(write(&client, "ATTACH '/db/link.db' AS other").starts_with("Database error: unable to open"));
    // A name is put into a statement as it is, and can do no more than read.
    for name in ["t); DELETE FROM t; --", "t) UNION SELECT 1", "' OR 1=1", &"x".repeat(2_000_000)] {
        let answer = tool_text(&client, "describe_table", &json!({ "table_name": name }));
        assert!(
            answer.as_ref().is_ok_and(|text| text == "[]" || text.starts_with("Database error"))
                || answer.is_err()
        );
    }
    assert_eq!(query(&client, "read_query", "SELECT name FROM sqlite_master"), "[{'name': 't'}]");
}

#[test]
fn insights_are_kept_and_told() {
    let files = Home::new("sqlite-files");
    let home = home(&files.folder("db"), "read-write", "");
    let client = connect(&home);
    client.request("resources/subscribe", json!({ "uri": "memo://insights" })).unwrap();
    client.call("append_insight", &json!({ "insight": "Sales rose" }));
    assert_eq!(client.notification("notifications/resources/updated")["params"]["uri"], "memo://insights");
    drop(client);
    let again = connect(&home);
    let memo = again.request("resources/read", json!({ "uri": "memo://insights" })).unwrap();
    assert!(memo["contents"][0]["text"].as_str().unwrap().ends_with("- Sales rose"), "{memo}");
}
