//! `calc` through the binary: sums, and the columns of files in a granted folder.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Write as _;

use kennel_tests::{Client, Home, each_grant_is_needed, words};
use serde_json::{Value, json};

const FIRST: &str = "[plugins.calc]\nprefix = \"\"\n[plugins.calc.limits]\nmemory = \"4MiB\"\n";

fn files(home: &Home) -> String {
    let folder = home.folder("figures");
    std::fs::write(folder.join("a.csv"), "name,price\n\"bones, two\",1.5\nball,2.5\nleash,\n").unwrap();
    std::fs::write(folder.join("ragged.csv"), "a,b\n1,2\n3\n").unwrap();
    std::fs::write(folder.join("empty.csv"), "").unwrap();
    folder.to_str().unwrap().to_owned()
}

fn granted(folder: &str) -> String {
    format!("[[plugins.calc.directories]]\npath = \"{folder}\"\nmode = \"read-only\"\n")
}

fn served() -> (Home, String, Client) {
    let home = Home::new("calc");
    let folder = files(&home);
    home.plugin("calc").config(&format!("{FIRST}{}", granted(&folder))).approve();
    let client = home.serve();
    client.initialize();
    (home, folder, client)
}

fn analyzed(client: &Client, path: &str, operations: &Value) -> Value {
    let result = client.call("analyze_csv", &json!({ "filepath": path, "operations": operations }));
    assert_ne!(result["isError"], true, "{path}: {result}");
    let text: Value = serde_json::from_str(&words(&result)).unwrap();
    assert_eq!(text, result["structuredContent"]);
    text
}

#[test]
fn numbers_are_added() {
    let (_home, _, client) = served();
    for (a, b, text) in [
        (json!(5), json!(3), "8"),
        (json!(0.5), json!(-2), "-1.5"),
        (json!(1e20), json!(1), "100000000000000000000"),
    ] {
        let result = client.call("calculate_sum", &json!({ "a": a, "b": b }));
        assert_eq!(words(&result), text);
        let sum = result["structuredContent"]["sum"].as_f64().unwrap();
        assert!((sum - text.parse::<f64>().unwrap()).abs() < f64::EPSILON, "{result}");
    }
    assert!(
        client
            .refused("calculate_sum", &json!({ "a": 1.7e308, "b": 1.7e308 }))
            .contains("more than a double")
    );
    assert_eq!(client.call("calculate_sum", &json!({ "a": "1", "b": 2 }))["isError"], true);
}

#[test]
fn columns_are_analyzed() {
    let (_home, folder, client) = served();
    let path = format!("{folder}/a.csv");
    let all = analyzed(&client, &path, &json!(["sum", "average", "count"]));
    assert_eq!(
        all,
        json!({ "rows": 3, "columns": [
            { "name": "name", "sum": null, "average": null, "count": 3 },
            { "name": "price", "sum": 4.0, "average": 2.0, "count": 2 },
        ] })
    );
    let counted = analyzed(&client, &path, &json!(["count"]));
    assert_eq!(counted["columns"][1], json!({ "name": "price", "count": 2 }));

    // A file larger than what the plugin may hold in memory at once.
    let mut large = String::from("n,filling\n");
    for n in 1..=10_000 {
        writeln!(large, "{n},{}", "x".repeat(900)).unwrap();
    }
    assert!(large.len() > 8 << 20);
    std::fs::write(format!("{folder}/large.csv"), large).unwrap();
    let sums = analyzed(&client, &format!("{folder}/large.csv"), &json!(["sum"]));
    assert_eq!((&sums["rows"], &sums["columns"][0]["sum"]), (&json!(10_000), &json!(50_005_000.0)));
}

#[test]
fn what_cannot_be_analyzed_is_told() {
    let (_home, folder, client) = served();
    for (path, why) in [
        (format!("{folder}/absent.csv"), "cannot read"),
        ("/etc/passwd".to_owned(), "cannot read"),
        (format!("{folder}/../kennel.toml"), "cannot read"),
        (folder.clone(), "directory"),
        (format!("{folder}/ragged.csv"), "line: 3"),
        (format!("{folder}/empty.csv"), "the file is empty"),
    ] {
        let refused = words(&client.call("analyze_csv", &json!({ "filepath": path, "operations": ["sum"] })));
        assert!(refused.contains(why) && refused.lines().count() == 1, "{path}: {refused}");
    }
    for operations in [json!([]), json!(["median"]), json!("sum")] {
        let arguments = json!({ "filepath": format!("{folder}/a.csv"), "operations": operations });
        assert_eq!(client.call("analyze_csv", &arguments)["isError"], true, "{operations}");
    }
}

#[test]
fn it_holds_nothing_that_it_does_not_need() {
    let other = Home::new("calc");
    let folder = files(&other);
    each_grant_is_needed("calc", FIRST, &[("directories", granted(&folder))], None, |client| {
        let arguments = json!({ "filepath": format!("{folder}/a.csv"), "operations": ["sum"] });
        let result = client.call("analyze_csv", &arguments);
        if result["isError"] == true { Err(words(&result)) } else { Ok(()) }
    });
}
