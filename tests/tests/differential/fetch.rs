//! `fetch` beside PyPI's `mcp-server-fetch`, on sites of loopback. The reference takes Mozilla's own reader, as it does wherever Node is.

use std::path::Path;
use std::process::Command;

use kennel_tests::web::{Answer, Asked, WebServer};
use kennel_tests::{Home, clients_dir, python, source_root};

use crate::server::Server;

/// The sites, by the name that the table has for each.
pub(crate) struct Fetch(Vec<(&'static str, WebServer)>);

impl Fetch {
    pub(crate) fn start() -> Self {
        let robots = |text: &'static str| move |_: &Asked| Answer::of("text/plain", text);
        let failing = |code: u16| move |_: &Asked| status(code);
        let with = |robots: Box<dyn Fn(&Asked) -> Answer + Send + Sync>| {
            WebServer::clear(
                move |asked| if asked.target == "/robots.txt" { robots(asked) } else { page(asked) },
            )
        };
        let closed = with(Box::new(robots(CLOSED)));
        let elsewhere = closed.url();
        Self(vec![
            ("open", with(Box::new(failing(404)))),
            ("allowing", with(Box::new(robots("User-agent: *\nAllow: /\n")))),
            ("closed", closed),
            ("named", with(Box::new(robots(NAMED)))),
            ("unauthorized", with(Box::new(failing(401)))),
            ("forbidden", with(Box::new(failing(403)))),
            ("failing", with(Box::new(failing(500)))),
            ("silent", with(Box::new(|_| Answer::nothing()))),
            ("moved", with(Box::new(move |_| moved(301, &format!("{elsewhere}/robots.txt"))))),
        ])
    }
}

const CLOSED: &str =
    "# Go away\nUser-agent: *\nDisallow: /\nAllow: /public/\nAllow: /*.txt$\n\nSitemap: /map.xml\n";
const NAMED: &str = "User-agent: Other\nDisallow: /\n\nUser-agent: ModelContextProtocol\nDisallow: /article\nDisallow: /pl%61in\n\n\
                     User-agent: *\nDisallow: /\n";

/// A status with a text that says it.
fn status(status: u16) -> Answer {
    Answer::status(status).header("content-type", "text/plain").body(format!("status {status}"))
}

fn moved(status: u16, to: &str) -> Answer {
    Answer::status(status).header("location", to)
}

/// The same pages on every site.
fn page(asked: &Asked) -> Answer {
    let path = asked.path();
    let path = path.strip_prefix("/public").unwrap_or(path);
    let header = |name| asked.header(name).unwrap_or_default();
    match path {
        "/plain" | "/plain.txt" => Answer::of("text/plain", "Plain *text*,\nwith <b>no</b> marks.\n"),
        "/json" => Answer::of("application/json", r#"{"light": "Cape Ferro", "steps": 212}"#),
        "/typed-html" => Answer::of(
            "application/octet-stream",
            "<!DOCTYPE html><html><body><p>Told by its head.</p></body></html>",
        ),
        "/untyped" => Answer::status(200).body("<p>Nobody says what this is.</p>"),
        "/latin1" => Answer::of(
            "text/html; charset=ISO-8859-1",
            b"<html><body><p>Caf\xe9 na\xefve \x80</p></body></html>".to_vec(),
        ),
        "/windows" => Answer::of(
            "text/html; charset=\"windows-1252\"",
            b"<html><body><p>\x80 5 \x93quoted\x94</p></body></html>".to_vec(),
        ),
        "/sjis" => Answer::of("text/plain; charset=shift_jis", b"\x93\xfa\x96\x7b".to_vec()),
        "/unknown-charset" => {
            Answer::of("text/plain; charset=klingon", "Gr\u{fc}\u{df}e".as_bytes().to_vec())
        }
        "/bom" => Answer::of("text/plain; charset=utf-8", b"\xef\xbb\xbfmarked".to_vec()),
        "/not-utf8" => Answer::of("text/plain", b"a\xff\xfeb\xc3".to_vec()),
        "/nothing" => Answer::of("text/plain", ""),
        "/agent" => Answer::of("text/plain", format!("{} {}", header("user-agent"), header("accept"))),
        "/query" => Answer::of("text/plain", asked.target.clone()),
        "/missing" => status(404),
        "/gone" => status(410),
        "/broken-server" => status(503),
        "/teapot" => Answer::status(299).header("content-type", "text/plain").body("odd, but good"),
        "/closing" => Answer::nothing(),
        "/to-article" => Answer::redirect("/article"),
        "/to-relative" => moved(307, "plain?from=redirect"),
        "/to-chain" => moved(303, "/to-article"),
        "/to-itself" => moved(301, "/to-itself"),
        "/to-nowhere" => Answer::status(302).header("content-type", "text/plain").body("where?"),
        "/to-script" => Answer::redirect("javascript:alert(1)"),
        "/to-place" => Answer::redirect(asked.target.split_once('?').map_or("/", |(_, place)| place)),
        _ => {
            let name = path.trim_start_matches('/');
            let file = source_root().join("tests/tests/differential/pages").join(format!("{name}.html"));
            match std::fs::read(file) {
                Ok(body) => Answer::of("text/html; charset=utf-8", body),
                Err(_) => status(404),
            }
        }
    }
}

impl Server for Fetch {
    const NAME: &'static str = "fetch";
    const TABLE: &'static str = include_str!("fetch.json");

    fn reference(&self, _: &Home, _: &Path) -> Command {
        let mut command = Command::new(python());
        // It asks for `node` by its name.
        let mut path = vec![clients_dir().join("node/node_modules/.bin")];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        command
            .args(["-m", "mcp_server_fetch", "--allow-private-ips"])
            .env("PATH", std::env::join_paths(path).expect("paths without colons"));
        command
    }

    fn grants(&self, _: &Path, _: &Path) -> String {
        let grant = |(_, site): &(_, WebServer)| {
            format!("[[plugins.fetch.http]]\nurl = \"{}\"\nmethods = [\"GET\"]\n", site.url())
        };
        // Where nobody listens.
        let nobody = "[[plugins.fetch.http]]\nurl = \"http://127.0.0.1:1\"\nmethods = [\"GET\"]\n";
        self.0.iter().map(grant).chain([nobody.to_owned()]).collect()
    }

    fn places(&self) -> Vec<(&'static str, String)> {
        self.0.iter().map(|(name, site)| (*name, site.url())).collect()
    }
}
