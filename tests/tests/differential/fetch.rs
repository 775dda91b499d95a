//! `fetch` beside PyPI's `mcp-server-fetch`, on sites of loopback. The reference takes Mozilla's own reader, as it does wherever Node is.

use std::path::Path;
use std::process::Command;

use kennel_tests::site::{Asked, Page, Site};
use kennel_tests::{Home, clients_dir, python, source_root};

use crate::server::Server;

/// The sites, by the name that the table has for each.
pub(crate) struct Fetch(Vec<(&'static str, Site)>);

impl Fetch {
    pub(crate) fn start() -> Self {
        let robots = |text: &'static str| move |_: &Asked| Page::of("text/plain", text);
        let status = |status: u16| move |_: &Asked| Page::status(status);
        let with = |robots: Box<dyn Fn(&Asked) -> Page + Send + Sync>| {
            Site::start(move |asked| if asked.target == "/robots.txt" { robots(asked) } else { page(asked) })
        };
        let closed = with(Box::new(robots(CLOSED)));
        let elsewhere = closed.url();
        Self(vec![
            ("open", with(Box::new(status(404)))),
            ("allowing", with(Box::new(robots("User-agent: *\nAllow: /\n")))),
            ("closed", closed),
            ("named", with(Box::new(robots(NAMED)))),
            ("unauthorized", with(Box::new(status(401)))),
            ("forbidden", with(Box::new(status(403)))),
            ("failing", with(Box::new(status(500)))),
            ("silent", with(Box::new(|_| Page::Nothing))),
            ("moved", with(Box::new(move |_| Page::redirect(301, &format!("{elsewhere}/robots.txt"))))),
        ])
    }
}

const CLOSED: &str =
    "# Go away\nUser-agent: *\nDisallow: /\nAllow: /public/\nAllow: /*.txt$\n\nSitemap: /map.xml\n";
const NAMED: &str = "User-agent: Other\nDisallow: /\n\nUser-agent: ModelContextProtocol\nDisallow: /article\nDisallow: /pl%61in\n\n\
                     User-agent: *\nDisallow: /\n";

/// The same pages on every site.
fn page(asked: &Asked) -> Page {
    let path = asked.target.split('?').next().unwrap_or_default();
    let path = path.strip_prefix("/public").unwrap_or(path);
    match path {
        "/plain" | "/plain.txt" => Page::of("text/plain", "Plain *text*,\nwith <b>no</b> marks.\n"),
        "/json" => Page::of("application/json", r#"{"light": "Cape Ferro", "steps": 212}"#),
        "/typed-html" => Page::of(
            "application/octet-stream",
            "<!DOCTYPE html><html><body><p>Told by its head.</p></body></html>",
        ),
        "/untyped" => Page::Whole(200, vec![], b"<p>Nobody says what this is.</p>".to_vec()),
        "/latin1" => Page::of(
            "text/html; charset=ISO-8859-1",
            b"<html><body><p>Caf\xe9 na\xefve \x80</p></body></html>".to_vec(),
        ),
        "/windows" => Page::of(
            "text/html; charset=\"windows-1252\"",
            b"<html><body><p>\x80 5 \x93quoted\x94</p></body></html>".to_vec(),
        ),
        "/sjis" => Page::of("text/plain; charset=shift_jis", b"\x93\xfa\x96\x7b".to_vec()),
        "/unknown-charset" => Page::of("text/plain; charset=klingon", "Gr\u{fc}\u{df}e".as_bytes().to_vec()),
        "/bom" => Page::of("text/plain; charset=utf-8", b"\xef\xbb\xbfmarked".to_vec()),
        "/not-utf8" => Page::of("text/plain", b"a\xff\xfeb\xc3".to_vec()),
        "/nothing" => Page::of("text/plain", ""),
        "/agent" => {
            Page::of("text/plain", format!("{} {}", asked.header("user-agent"), asked.header("accept")))
        }
        "/query" => Page::of("text/plain", asked.target.clone()),
        "/missing" => Page::status(404),
        "/gone" => Page::status(410),
        "/broken-server" => Page::status(503),
        "/teapot" => {
            Page::Whole(299, vec![("content-type".into(), "text/plain".into())], b"odd, but good".to_vec())
        }
        "/closing" => Page::Nothing,
        "/to-article" => Page::redirect(302, "/article"),
        "/to-relative" => Page::redirect(307, "plain?from=redirect"),
        "/to-chain" => Page::redirect(303, "/to-article"),
        "/to-itself" => Page::redirect(301, "/to-itself"),
        "/to-nowhere" => {
            Page::Whole(302, vec![("content-type".into(), "text/plain".into())], b"where?".to_vec())
        }
        "/to-script" => Page::redirect(302, "javascript:alert(1)"),
        "/to-place" => Page::redirect(302, asked.target.split_once('?').map_or("/", |(_, place)| place)),
        _ => {
            let name = path.trim_start_matches('/');
            let file = source_root().join("tests/tests/differential/pages").join(format!("{name}.html"));
            match std::fs::read(file) {
                Ok(body) => Page::of("text/html; charset=utf-8", body),
                Err(_) => Page::status(404),
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
        let grant = |(_, site): &(_, Site)| {
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
