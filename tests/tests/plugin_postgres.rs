//! `postgres` against a real PostgreSQL: the published original's answers, what the plugin has more, its bounds, and everything
//! that may go wrong. Each test has a server of its own.
//! No test may look at what the plugin does but through the binary.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;
use std::time::{Duration, Instant};

use kennel_tests::{Client, Home, Postgres, Reply, clients_dir, each_grant_is_needed, node, words};
use serde_json::{Value, json};

const PASSWORD: &str = "reader's word: p@ss/1";

/// What is no grant. The machine may have much else to do, so a call has time.
const FIRST: &str = "[plugins.postgres]\nprefix = \"\"\n[plugins.postgres.limits]\ndeadline = \"3m\"\n";

/// Tables, and users of which only `reader` has anything to read but in `public`.
const SETUP: &str = r#"
    CREATE TYPE mood AS ENUM ('sad', 'happy');
    CREATE TABLE kinds (
        id int PRIMARY KEY, flag boolean, small smallint, big bigint, exact numeric(10,3), single real, double double precision,
        cash money, letter "char", code char(5), word varchar(20), body text, raw bytea, day date, clock time, zoned timetz,
        stamp timestamp, instant timestamptz, span interval, plain json, binary_json jsonb, ident uuid, address inet, net cidr,
        mac macaddr, place point, round circle, area box, feeling mood, bits bit(3), range int4range, tags text[], numbers int[],
        bigs bigint[], exacts numeric[], flags boolean[], grid int[][], stamps timestamptz[], days date[], spans interval[],
        objects jsonb[], raws bytea[], places point[], idents uuid[], feelings mood[], doc xml, search tsvector
    );
    INSERT INTO kinds VALUES (
        1, true, -7, 9223372036854775807, 1234.500, 1.5, 1e-7, 12.34, 'x', 'ab', 'varied', E'line\nquote " back \\ é 😀',
        '\x00ff10', '2024-02-29', '12:34:56.789', '12:34:56+02', '2024-02-29 12:34:56.789123', '2024-02-29 12:34:56+05:30',
        '1 year 2 mons -3 days 04:05:06.789', '{"b": 1.0, "a": [1, 2e3], "10": null, "9": "x"}', '{"z": 1, "a": {"k": []}}',
        'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '10.0.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03', '(1.5,-2)', '<(1,2),3>',
        '((0,0),(1,1))', 'happy', B'101', '[1,5)', ARRAY['a', 'b "c"', NULL, 'NULL', ''], ARRAY[1, NULL, 3],
        ARRAY[1, -2]::bigint[], ARRAY[1.50, 2]::numeric[], ARRAY[true, false, NULL], ARRAY[[1, 2], [3, 4]],
        ARRAY['2024-01-01 00:00:00+00', 'infinity']::timestamptz[], ARRAY['2024-01-01', NULL]::date[],
        ARRAY['1 day', '-00:00:01.5']::interval[], ARRAY['{"a": 1}', '[]']::jsonb[], ARRAY['\x01', NULL]::bytea[],
        ARRAY['(1,2)']::point[], ARRAY['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']::uuid[], ARRAY['sad']::mood[], '<a>1</a>',
        'a fat cat'
    );
    INSERT INTO kinds (id) VALUES (2);
    CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL, born date, salary numeric DEFAULT 0);
    INSERT INTO people (name, born) VALUES ('Ada', '1815-12-10'), ('Grace', '1906-12-09'), ('O''Brien', NULL);
    CREATE TABLE "odd ""name""; DROP TABLE people; --" ("a column" int, "1" int, "2" text);
    INSERT INTO "odd ""name""; DROP TABLE people; --" VALUES (1, 2, 'three');
    CREATE VIEW old AS SELECT name FROM people WHERE born < '1900-01-01';
    CREATE TABLE many AS SELECT n AS id, repeat('x', 20) AS filling FROM generate_series(1, 10000) AS n;
    CREATE TABLE secrets (id int PRIMARY KEY, word text);
    INSERT INTO secrets VALUES (1, 'hidden-treasure');
    CREATE FUNCTION peek() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT word FROM secrets); END';
    CREATE FUNCTION write() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM people; RETURN 1; END';
    CREATE SCHEMA other;
    CREATE TABLE other.hours (id int PRIMARY KEY, worked interval);
    INSERT INTO other.hours VALUES (1, '01:30:00');
    CREATE ROLE reader LOGIN PASSWORD 'reader''s word: p@ss/1';
    CREATE ROLE trusting LOGIN;
    CREATE ROLE plain LOGIN PASSWORD 'reader''s word: p@ss/1';
    SET password_encryption = 'md5';
    CREATE ROLE hashed LOGIN PASSWORD 'reader''s word: p@ss/1';
    GRANT USAGE ON SCHEMA other TO reader;
    GRANT ALL ON ALL TABLES IN SCHEMA public, other TO reader, trusting, plain, hashed;
"#;

/// A home with the plugin for a user; `more` are further lines of its table in `kennel.toml`.
fn home(server: &Postgres, user: &str, more: &str) -> Home {
    let home = Home::new("postgres").env("WORD", PASSWORD);
    home.plugin("postgres").config(&config(server, user, more)).approve();
    home
}

fn config(server: &Postgres, user: &str, more: &str) -> String {
    format!("{FIRST}{more}{}", grants(server, user).map(|(_, lines)| lines).concat())
}

/// All that the plugin needs.
fn grants(server: &Postgres, user: &str) -> [(&'static str, String); 3] {
    [
        ("tcp", format!("[[plugins.postgres.tcp]]\nto = \"{}\"\n", server.at())),
        ("env", format!("[plugins.postgres.env]\nDATABASE_URL = \"{}\"\n", server.url(user))),
        (
            "secret",
            "[[plugins.postgres.secrets]]\nname = \"PGPASSWORD\"\nfrom = \"env:WORD\"\nexpose = true\n"
                .to_owned(),
        ),
    ]
}

/// The home, too: it goes when it is dropped.
fn serve(home: Home) -> (Home, Client) {
    let client = home.serve();
    client.initialize();
    (home, client)
}

/// The text of a call that must succeed.
#[track_caller]
fn said(client: &Client, tool: &str, arguments: &Value) -> String {
    let result = client.call(tool, arguments);
    assert_ne!(result["isError"], true, "{tool} {arguments}: {result}\n{}", client.stderr());
    words(&result)
}

/// The structured result of a call that must succeed.
#[track_caller]
fn structured(client: &Client, tool: &str, arguments: &Value) -> Value {
    let result = client.call(tool, arguments);
    assert_ne!(result["isError"], true, "{tool} {arguments}: {result}\n{}", client.stderr());
    result["structuredContent"].clone()
}

#[track_caller]
fn read(client: &Client, uri: &str) -> Value {
    let result = client.request("resources/read", json!({ "uri": uri })).unwrap();
    let contents = &result["contents"][0];
    assert_eq!((&contents["uri"], &contents["mimeType"]), (&json!(uri), &json!("application/json")));
    serde_json::from_str(contents["text"].as_str().unwrap()).unwrap()
}

/// The published server, in UTC as the sandbox is.
fn original(home: &Home, server: &Postgres) -> Client {
    let mut command = Command::new(node());
    command
        .arg(clients_dir().join("node/node_modules/@modelcontextprotocol/server-postgres/dist/index.js"))
        .arg(server.url("reader").replace("reader@", "reader:reader%27s%20word%3A%20p%40ss%2F1@"))
        .env("TZ", "UTC")
        .current_dir(home.folder("user"));
    let client = Client::start(command);
    client.initialize();
    client
}

/// What is compared of an answer. The original lets an error of the server end in a JSON-RPC error, where the protocol has
/// `isError`; that it fails and with which words is the same.
fn answer(reply: Reply) -> Value {
    match reply {
        Err(error) => json!({ "failed": error["message"] }),
        Ok(result) if result["isError"] == true => json!({ "failed": result["content"][0]["text"] }),
        Ok(result) => json!({ "content": result["content"] }),
    }
}

/// Statements, and why the answer differs if it does.
const STATEMENTS: &[(&str, Option<&str>)] = &[
    ("SELECT * FROM kinds ORDER BY id", None),
    ("SELECT * FROM people ORDER BY id", None),
    ("SELECT name, born FROM people WHERE born IS NULL;", None),
    ("SELECT 1 AS a, 2 AS b, 3 AS a", None),
    ("SELECT 1", None),
    ("SELECT 1 AS \"2\", 3 AS \"1\", 4 AS x", None),
    ("SELECT * FROM people WHERE false", None),
    ("SELECT * FROM \"odd \"\"name\"\"; DROP TABLE people; --\"", None),
    ("", None),
    ("-- only a comment", None),
    ("SELECT 'a' || $$b$$ AS text", None),
    (
        "SELECT 0.1::float8 + 0.2 AS sum, 1e21::float8 AS large, -0.0::float8 AS zero, 'NaN'::float8 AS nan",
        None,
    ),
    ("SELECT 'Infinity'::float8 AS above, '-Infinity'::float4 AS below, 123456789::float8 AS whole", None),
    ("SELECT '0044-03-15 BC'::date AS ides, 'infinity'::timestamp AS ever, '12345-01-01'::date AS far", None),
    (
        "SELECT '0099-12-31 23:59:59.9995'::timestamp AS early, '1890-01-01 00:00:00+00:53:28'::timestamptz AS odd",
        None,
    ),
    (
        "SELECT interval '0' AS nothing, interval '-1 year 2 days -04:00' AS back, interval '1.5 us' AS tiny",
        None,
    ),
    (
        "SELECT '[0:1]={1,2}'::int[] AS shifted, '{}'::text[] AS none, ARRAY[ARRAY['a,b', '{c}']] AS nested",
        None,
    ),
    ("SELECT '{\"a\": 12345678901234567890, \"a\": 0.1e1, \"01\": 1, \"1\": 2}'::json AS odd", None),
    ("SELECT row(1, 'two') AS record, ARRAY[row(1)] AS records", None),
    ("SELECT now() = now() AS same", None),
    ("SELECT count(*) FROM many", None),
    ("SELECT id FROM many ORDER BY id LIMIT 500 OFFSET 9000", None),
    ("WITH t AS (SELECT generate_series(1, 3) AS n) SELECT n, n * n AS square FROM t", None),
    ("VALUES (1, 'a'), (2, 'b')", None),
    ("TABLE old", None),
    ("SHOW server_encoding", None),
    ("SHOW transaction_read_only", None),
    ("EXPLAIN (COSTS OFF) SELECT * FROM people", None),
    ("SET work_mem = '4MB'", None),
    ("BEGIN", None),
    ("COMMIT", None),
    ("SELEC 1", None),
    ("SELECT * FROM absent", None),
    ("SELECT absent FROM people", None),
    ("SELECT 1/0", None),
    ("SELECT $1", None),
    ("SELECT 'x'::int", None),
    ("SELECT pg_sleep('x')", None),
    ("INSERT INTO people (name) VALUES ('Eve')", None),
    ("UPDATE people SET name = 'Eve'", None),
    ("DELETE FROM people", None),
    ("DROP TABLE people", None),
    ("CREATE TABLE mine (id int)", None),
    ("SELECT write()", None),
    ("SELECT nextval('people_id_seq')", None),
    ("VACUUM people", None),
    ("SELECT * FROM pg_authid", None),
    (
        "SELECT 1; SELECT 2",
        Some("the original answers a text block without a text; here it is one statement that is sent"),
    ),
    ("SELECT * FROM many", Some("10 000 rows: here an answer has bounds")),
];

#[test]
fn the_originals_tool_and_resources_answer_the_same() {
    let server = Postgres::start(SETUP);
    let home = home(&server, "reader", "");
    let theirs = original(&home, &server);
    let (_home, ours) = serve(home);
    let mut wrong = Vec::new();
    for (sql, differs) in STATEMENTS {
        let params = Client::call_params("query", &json!({ "sql": sql }));
        let [original, mine] =
            [&theirs, &ours].map(|client| answer(client.request("tools/call", params.clone())));
        if (original == mine) == differs.is_some() {
            wrong.push(format!("{sql}\n  original: {original:.3000}\n  kennel:   {mine:.3000}"));
        }
    }
    let params = Client::call_params("query", &json!({}));
    let [original, mine] =
        [&theirs, &ours].map(|client| answer(client.request("tools/call", params.clone())));
    if original != mine {
        wrong.push(format!("no statement\n  original: {original}\n  kennel:   {mine}"));
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(STATEMENTS.iter().filter(|(_, differs)| differs.is_some()).count() * 10 <= STATEMENTS.len());

    // The one tool of the original, word for word.
    let tools =
        [&theirs, &ours].map(|client| client.request("tools/list", Value::Null).unwrap()["tools"].clone());
    let mine = tools[1].as_array().unwrap().iter().find(|tool| tool["name"] == "query").unwrap();
    for key in ["name", "description", "inputSchema"] {
        assert_eq!(tools[0][0][key], mine[key], "{key}");
    }

    // Every table that the original lists, and what it says about each. It does not decode the name in a URI, so what it says
    // of a name with a space or a quote is nothing.
    let listed = |client: &Client| -> Vec<Value> {
        let list = client.request("resources/list", Value::Null).unwrap();
        let mut list = list["resources"].as_array().unwrap().clone();
        list.retain(|resource| {
            resource["uri"] != "db://schema" && !resource["name"].as_str().unwrap().contains("odd")
        });
        // The host gives lists in the order of their URIs.
        list.sort_by_key(|resource| resource["uri"].to_string());
        list.iter_mut().for_each(|resource| {
            let all = resource.as_object_mut().unwrap();
            all.retain(|key, _| ["uri", "name", "mimeType"].contains(&key.as_str()));
        });
        list
    };
    let (list, mine) = (listed(&theirs), listed(&ours));
    assert_eq!(list, mine);
    assert_eq!(list.len(), 5, "{list:?}");
    for resource in list {
        let params = json!({ "uri": resource["uri"] });
        let [original, mine] = [&theirs, &ours].map(|client| {
            let result = client.request("resources/read", params.clone()).unwrap();
            let text = result["contents"][0]["text"].as_str().unwrap().to_owned();
            // The original leaves the order of the columns to the server; ours is the table's.
            let mut columns: Vec<Value> = serde_json::from_str(&text).unwrap();
            columns.sort_by_key(ToString::to_string);
            assert_eq!(text.lines().count(), 4 * columns.len() + 2);
            columns
        });
        assert_eq!(original, mine, "{resource}");
    }
    let odd = ours.request("resources/list", Value::Null).unwrap()["resources"].as_array().unwrap().clone();
    let odd = odd.iter().find(|resource| resource["name"].as_str().unwrap().contains("odd")).unwrap();
    let columns = read(&ours, odd["uri"].as_str().unwrap());
    assert_eq!(columns[0], json!({ "column_name": "a column", "data_type": "integer" }));
    let gone =
        ours.request("resources/read", json!({ "uri": format!("{}/absent/schema", "postgres://x@y") }));
    assert!(gone.unwrap_err()["message"].as_str().unwrap().contains("absent"));
}

#[test]
fn the_other_tools_page_describe_and_say_their_bounds() {
    let server = Postgres::start(SETUP);
    let home = home(&server, "reader", "[plugins.postgres.settings]\nmax-rows = 50\nmax-bytes = 20000\n");
    let (_home, client) = serve(home);
    let bounds = |result: &Value| {
        assert_eq!(
            (&result["bounds"]["maxRows"], &result["bounds"]["maxBytes"]),
            (&json!(50), &json!(20000))
        );
        assert!(
            result["bounds"]["statementTimeout"].as_u64().is_some_and(|ms| (1_000..=20_000).contains(&ms)),
            "{result}"
        );
    };

    let result = structured(
        &client,
        "execute_query",
        &json!({ "sql": "SELECT id, born, salary FROM people WHERE id = 1" }),
    );
    bounds(&result);
    let columns = json!([
        { "name": "id", "type": "integer" }, { "name": "born", "type": "date" }, { "name": "salary", "type": "numeric" },
    ]);
    assert_eq!(result["columns"], columns);
    assert_eq!(result["rows"], json!([{ "id": 1, "born": "1815-12-10T00:00:00.000Z", "salary": "0" }]));
    assert_eq!((&result["rowCount"], &result["truncated"]), (&json!(1), &json!(false)));
    let moods =
        structured(&client, "execute_query", &json!({ "sql": "SELECT feeling FROM kinds WHERE id = 1" }));
    assert_eq!(moods["columns"][0]["type"], "mood");

    // Ten thousand rows, of which the bounds let through a few; the answer says so, to programs and to people.
    let sql = json!({ "sql": "SELECT * FROM many ORDER BY id" });
    let result = client.call("execute_query", &sql);
    assert_eq!(result["structuredContent"]["rowCount"], 50);
    assert_eq!(result["structuredContent"]["truncated"], true);
    assert!(words(&result).contains("at most 50 rows (the setting `max-rows`)"), "{result}");
    let result = client.call("query", &sql);
    assert_eq!(result["content"].as_array().unwrap().len(), 2);
    let rows: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 50);
    assert!(result["content"][1]["text"].as_str().unwrap().contains("at most 50 rows"));
    let wide = json!({ "sql": "SELECT n, repeat('y', 3000) AS wide FROM generate_series(1, 40) AS n" });
    let result = client.call("execute_query", &wide);
    assert_eq!(
        (&result["structuredContent"]["rowCount"], &result["structuredContent"]["truncated"]),
        (&json!(6), &json!(true))
    );
    assert!(words(&result).contains("at most 20000 bytes (the setting `max-bytes`)"), "{result}");
    let huge = json!({ "sql": "SELECT repeat('y', 17000000)" });
    assert!(client.refused("execute_query", &huge).contains("select less of it"));

    // Pages, in the order of the key, and the defaults of the contract.
    let page = structured(&client, "get_table_data", &json!({ "table": "people", "limit": 2, "offset": 1 }));
    let names: Vec<_> = page["rows"].as_array().unwrap().iter().map(|row| row["name"].clone()).collect();
    assert_eq!(names, ["Grace", "O'Brien"]);
    let page = structured(&client, "get_table_data", &json!({ "table": "many" }));
    assert_eq!((&page["rowCount"], &page["truncated"]), (&json!(50), &json!(true)));
    let tools = client.request("tools/list", Value::Null).unwrap();
    let data =
        tools["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "get_table_data").unwrap();
    let properties = &data["inputSchema"]["properties"];
    assert_eq!((&properties["limit"]["default"], &properties["offset"]["default"]), (&json!(100), &json!(0)));
    let hours = structured(&client, "get_table_data", &json!({ "table": "other.hours" }));
    assert_eq!(hours["rows"], json!([{ "id": 1, "worked": { "hours": 1, "minutes": 30 } }]));

    // Names are never statements.
    let odd = "odd \"name\"; DROP TABLE people; --";
    let page = structured(&client, "get_table_data", &json!({ "table": odd }));
    assert_eq!(page["rows"], json!([{ "1": 2, "2": "three", "a column": 1 }]));
    for table in [
        "people; DROP TABLE people",
        "people\" WHERE false; --",
        "(SELECT 1)",
        "pg_authid",
        "absent",
        "people\u{0}",
    ] {
        for tool in ["get_table_data", "get_table_schema"] {
            let refused = client.refused(tool, &json!({ "table": table }));
            assert!(refused.contains("no table") || refused.contains("0x00"), "{table}: {refused}");
        }
    }
    assert_eq!(structured(&client, "get_table_data", &json!({ "table": "people" }))["rowCount"], 3);

    let table = structured(&client, "get_table_schema", &json!({ "table": "public.people" }));
    assert_eq!(
        (&table["schema"], &table["name"], &table["kind"]),
        (&json!("public"), &json!("people"), &json!("table"))
    );
    assert_eq!(
        table["columns"][0],
        json!({
            "name": "id", "type": "integer", "nullable": false, "default": "nextval('people_id_seq'::regclass)",
            "primaryKey": true,
        })
    );
    assert_eq!(
        table["columns"][2],
        json!({
            "name": "born", "type": "date", "nullable": true, "default": null, "primaryKey": false,
        })
    );

    let schema = read(&client, "db://schema");
    let names: Vec<_> =
        schema.as_array().unwrap().iter().map(|table| table["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["hours", "kinds", "many", odd, "old", "people", "secrets"]);
    assert_eq!(schema[4]["kind"], "view");

    // What is made later is listed without a word from anybody.
    server.sql("CREATE TABLE later (id int); GRANT SELECT ON later TO reader");
    let end = Instant::now() + Duration::from_secs(60);
    while !client.request("resources/list", Value::Null).unwrap().to_string().contains("/later/schema") {
        assert!(Instant::now() < end, "the new table is not listed");
        std::thread::sleep(Duration::from_millis(200));
    }

    // Each statement leaves a line in the log.
    let log = client.logged("SELECT id, born, salary FROM people WHERE id = 1");
    assert!(log.contains("milliseconds"), "{log}");
}

#[test]
fn nothing_is_written() {
    let server = Postgres::start(SETUP);
    let (_home, client) = serve(home(&server, "reader", ""));
    for sql in [
        "INSERT INTO people (name) VALUES ('Eve')",
        "SELECT write()",
        "WITH gone AS (DELETE FROM people RETURNING *) SELECT * FROM gone",
        "COMMIT; DELETE FROM people",
        "SELECT 1; COMMIT; DELETE FROM people",
        "ROLLBACK; DROP TABLE people; --",
        "DO $$ BEGIN COMMIT; DELETE FROM people; END $$",
        "DO $$ BEGIN SET TRANSACTION READ WRITE; DELETE FROM people; END $$",
        "SELECT set_config('transaction_read_only', 'off', false), write()",
        "CREATE TABLE mine (id int)",
        "COPY people FROM STDIN",
        "COPY people TO STDOUT",
    ] {
        for tool in ["query", "execute_query"] {
            let result = client.call(tool, &json!({ "sql": sql }));
            assert_eq!(result["isError"], true, "{tool} {sql}: {result}");
        }
    }
    // These succeed, in a transaction or a connection that ends with the call.
    for sql in ["SET TRANSACTION READ WRITE", "SET default_transaction_read_only = off", "COMMIT"] {
        client.call("query", &json!({ "sql": sql }));
        let refused = client.refused("query", &json!({ "sql": "DELETE FROM people" }));
        assert_eq!(refused, "cannot execute DELETE in a read-only transaction");
    }
    assert_eq!(server.sql("SELECT count(*) FROM people")[0]["count"], "3");
    let refused = client.refused("execute_query", &json!({ "sql": "DELETE FROM people" }));
    assert_eq!(refused, "cannot execute DELETE in a read-only transaction (SQLSTATE 25006)");
    let refused = client.refused("execute_query", &json!({ "sql": "SELECT nam FROM people" }));
    assert!(refused.contains("column \"nam\" does not exist; Perhaps you meant"), "{refused}");
}

#[test]
fn only_the_tables_that_are_set_are_read() {
    let server = Postgres::start(SETUP);
    server.sql(
        "CREATE VIEW through AS SELECT word FROM secrets; GRANT SELECT ON through TO reader;
         CREATE TABLE parts (id int, body text) PARTITION BY RANGE (id);
         CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
         CREATE INDEX ON parts (id); INSERT INTO parts VALUES (1, repeat('long', 5000)); GRANT SELECT ON parts TO reader;",
    );
    let settings = "[plugins.postgres.settings]\ntables = [\"people\", \"other.hours\", \"parts\"]\n";
    let (_home, client) = serve(home(&server, "reader", settings));
    for sql in [
        "SELECT name FROM people ORDER BY id",
        "SELECT p.name FROM people p JOIN other.hours h USING (id)",
        "SELECT body FROM parts WHERE id = 1",
        "SELECT 1 + 1 AS two",
    ] {
        said(&client, "query", &json!({ "sql": sql }));
        said(&client, "execute_query", &json!({ "sql": sql }));
    }
    for sql in [
        "SELECT * FROM secrets",
        "SELECT name FROM people WHERE EXISTS (SELECT FROM secrets WHERE word LIKE 'h%')",
        "SELECT * FROM through",
        "SELECT peek()",
        "SELECT query_to_xml('SELECT * FROM secrets', true, true, '')",
        "SELECT length(peek())",
        // An error that would quote what was found.
        "SELECT word::int FROM secrets",
        "SELECT peek()::int",
        "SELECT * FROM pg_stats",
        "SELECT relname FROM pg_class",
        "SELECT * FROM information_schema.tables",
        "EXPLAIN SELECT * FROM secrets",
        "SELECT last_value FROM people_id_seq",
    ] {
        for tool in ["query", "execute_query"] {
            let refused = client.refused(tool, &json!({ "sql": sql }));
            assert!(!refused.contains("hidden"), "{sql}: {refused}");
            assert!(
                refused.contains("setting `tables`") || refused.contains("only some tables"),
                "{sql}: {refused}"
            );
        }
    }
    assert!(client.refused("get_table_data", &json!({ "table": "secrets" })).contains("no table `secrets`"));
    structured(&client, "get_table_data", &json!({ "table": "parts" }));
    let schema = read(&client, "db://schema");
    let names: Vec<_> =
        schema.as_array().unwrap().iter().map(|table| table["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["hours", "parts", "people"]);
    let list = client.request("resources/list", Value::Null).unwrap().to_string();
    assert!(list.contains("/people/schema") && !list.contains("secrets"), "{list}");
    let uri =
        server.url("reader").replace("postgresql:", "postgres:").replace("/postgres", "/secrets/schema");
    assert!(client.request("resources/read", json!({ "uri": uri })).is_err());
}

#[test]
fn each_way_to_log_in_works_and_a_wrong_word_does_not() {
    let server = Postgres::start(SETUP);
    let home = Home::new("postgres").env("WORD", PASSWORD).env("WRONG", "not the word");
    // One component under many names, each with a user of its own.
    let mut config = String::new();
    let mut add = |name: &str, user: &str, word: Option<&str>| {
        home.plugin_as("postgres", name);
        let [tcp, env, secret] = grants(&server, user).map(|(_, lines)| lines);
        let secret = word.map(|word| secret.replace("env:WORD", &format!("env:{word}"))).unwrap_or_default();
        let lines = format!("[plugins.postgres.limits]\ndeadline = \"3m\"\n{tcp}{env}{secret}");
        config += &lines.replace("plugins.postgres", &format!("plugins.{name}"));
    };
    let users = ["reader", "hashed", "plain", "trusting"];
    for user in users {
        add(user, user, Some("WORD"));
    }
    for user in ["reader", "hashed", "plain", "absent"] {
        add(&format!("wrong-{user}"), user, Some("WRONG"));
    }
    add("silent", "reader", None);
    home.config(&config).approve();
    let (_home, client) = serve(home);
    for user in users {
        let rows = said(&client, &format!("{user}__query"), &json!({ "sql": "SELECT current_user AS me" }));
        assert_eq!(serde_json::from_str::<Value>(&rows).unwrap(), json!([{ "me": user }]));
    }
    for user in ["reader", "hashed", "plain", "absent"] {
        let refused = client.refused(&format!("wrong-{user}__query"), &json!({ "sql": "SELECT 1" }));
        assert_eq!(refused, format!("password authentication failed for user \"{user}\""));
    }
    let refused = client.refused("silent__query", &json!({ "sql": "SELECT 1" }));
    assert!(refused.contains("grant the secret PGPASSWORD"), "{refused}");
    assert!(!client.stderr().contains(PASSWORD), "the log holds the password");
}

#[test]
fn a_statement_that_takes_too_long_and_a_server_that_goes_are_told() {
    let mut server = Postgres::start(SETUP);
    let (_home, client) =
        serve(home(&server, "reader", "[plugins.postgres.settings]\nstatement-timeout = 1\n"));
    for tool in ["query", "execute_query"] {
        let refused = client.refused(tool, &json!({ "sql": "SELECT pg_sleep(60)" }));
        assert!(
            refused.contains("statement timeout") && refused.contains("took longer than 1000 ms"),
            "{refused}"
        );
    }
    drop(client);
    let (_home, client) = serve(home(&server, "reader", ""));
    said(&client, "query", &json!({ "sql": "SELECT 1" }));
    let id =
        client.send("tools/call", Client::call_params("query", &json!({ "sql": "SELECT pg_sleep(15)" })));
    let end = Instant::now() + Duration::from_secs(60);
    let asleep = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(15)' AND state = 'active'";
    while server.sql(asleep)[0]["n"] != 1 {
        assert!(Instant::now() < end, "the statement does not begin\n{}", client.stderr());
    }
    server.stop();
    let refused = kennel_tests::refusal(&client.wait(id).unwrap());
    assert!(refused.contains("terminating connection") || refused.contains("broke"), "{refused}");
    let refused = client.refused("query", &json!({ "sql": "SELECT 1" }));
    assert!(refused.contains(&format!("cannot connect to PostgreSQL at {}", server.at())), "{refused}");
}

#[test]
fn it_holds_nothing_that_it_does_not_need() {
    let server = Postgres::start(SETUP);
    each_grant_is_needed("postgres", FIRST, &grants(&server, "reader"), Some(("WORD", PASSWORD)), |client| {
        let result = client.call("query", &json!({ "sql": "SELECT 1 AS one" }));
        if result["isError"] == true { Err(words(&result)) } else { Ok(()) }
    });
}
