//! The plugin `flux` through the binary, against two real HTTPS servers: one that answers as Replicate's API does, and
//! the one that its pictures lie on.

use kennel_tests::Client;
use kennel_tests::web::{Answer, Asked, WebServer};
use kennel_tests::web_plugin::{KEY, WebPlugin, fails, gives_up, works};
use serde_json::{Value, json};

const FLUX: WebPlugin = WebPlugin {
    name: "flux",
    variable: "REPLICATE_BASE_URL",
    methods: "[\"GET\", \"POST\"]",
    secret: Some(("token", "as = \"bearer\"")),
    state: false,
    more: Vec::new(),
};

const CREATE: &str = "POST /models/black-forest-labs/flux-dev/predictions";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n a picture of tests";

/// Where the pictures lie. In the clear, so that one certificate is enough for the host to trust.
fn pictures() -> WebServer {
    WebServer::clear(|asked| match asked.path() {
        "/a.png" if asked.header("authorization").is_none() => {
            // The header lies; the bytes do not.
            Answer::status(200).header("content-type", "image/webp").body(PNG)
        }
        "/page" => Answer::status(200).header("content-type", "image/png").body("<html>"),
        _ => Answer::status(404),
    })
}

fn replicate(pictures: &WebServer) -> WebServer {
    let picture = format!("{}/a.png", pictures.url());
    let polls = std::sync::atomic::AtomicUsize::new(0);
    WebServer::tls(move |asked: &Asked| {
        if asked.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return Answer::failure(401, &json!({ "detail": "Unauthenticated" }));
        }
        let done = json!({ "id": "p1", "status": "succeeded", "output": [picture] });
        match asked.line().as_str() {
            CREATE if asked.json()["input"]["prompt"] == "slowly" => {
                Answer::failure(201, &json!({ "id": "p1", "status": "starting", "output": null }))
            }
            CREATE => Answer::failure(201, &done),
            "GET /predictions/p1" => {
                let first = polls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
                Answer::json(&if first { json!({ "id": "p1", "status": "processing" }) } else { done })
            }
            _ => Answer::failure(404, &json!({ "detail": "not found" })),
        }
    })
}

/// With the grants of the second host.
fn plugin(pictures: &WebServer) -> WebPlugin {
    let url = pictures.url();
    let more = vec![
        ("env of the pictures", format!("env.REPLICATE_FILES_URL = \"{url}\"\n")),
        ("http of the pictures", format!("[[plugins.flux.http]]\nurl = \"{url}\"\nmethods = [\"GET\"]\n")),
    ];
    WebPlugin { more, ..FLUX }
}

fn image(client: &Client, arguments: &Value) -> Vec<Value> {
    let result = client.call("generate_image", arguments);
    assert_ne!(result["isError"], true, "{result}\n{}", client.stderr());
    result["content"].as_array().unwrap().clone()
}

#[test]
fn an_image_is_generated_and_fetched() {
    let pictures = pictures();
    let server = replicate(&pictures);
    let (_home, client) = plugin(&pictures).start(&server, "");
    let content = image(&client, &json!({ "prompt": "a cat" }));
    let url = format!("{}/a.png", pictures.url());
    assert_eq!(content[0], json!({ "type": "text", "text": "Generated image:" }));
    assert_eq!((&content[1]["type"], &content[1]["mimeType"]), (&json!("image"), &json!("image/png")));
    assert_eq!(content[1]["data"], "iVBORw0KGgogYSBwaWN0dXJlIG9mIHRlc3Rz");
    assert_eq!(content[2], json!({ "type": "text", "text": format!("Image URL: {url}") }));
    let asked = server.last();
    assert_eq!(asked.header("prefer"), Some("wait"));
    assert_eq!(
        asked.json()["input"],
        json!({ "prompt": "a cat", "go_fast": true, "guidance": 3.5, "megapixels": "1", "aspect_ratio": "4:5" })
    );
    // What takes longer is asked after, and watched.
    let mut params = Client::call_params("generate_image", &json!({ "prompt": "slowly", "num_outputs": 1 }));
    params["_meta"] = json!({ "progressToken": 1 });
    let result = client.request("tools/call", params).unwrap();
    assert_eq!(result["content"].as_array().unwrap().len(), 3, "{result}");
    assert_eq!(server.lines().iter().filter(|line| *line == "GET /predictions/p1").count(), 2);
    assert!(client.notifications().len() >= 3, "{:?}", client.notifications());
}

#[test]
fn failures_are_told() {
    let pictures = pictures();
    let server = replicate(&pictures);
    let flux = plugin(&pictures);
    let cat = json!({ "prompt": "a cat" });
    flux.tells_failures(&server, CREATE, "generate_image", &cat, "Flux API error: ");
    let (_home, client) = flux.start(&server, "");
    for (prediction, says) in [
        (
            json!({ "id": "p", "status": "failed", "error": "NSFW content" }),
            "the image was not generated: NSFW content",
        ),
        (json!({ "id": "p", "status": "succeeded", "output": [] }), "no image was generated"),
        (
            json!({ "id": "p", "status": "succeeded", "output": [format!("{}/page", pictures.url())] }),
            "is no picture",
        ),
        (
            json!({ "id": "p", "status": "succeeded", "output": [format!("{}/gone", pictures.url())] }),
            "404 Not Found",
        ),
    ] {
        server.once(CREATE, Answer::json(&prediction));
        let said = fails(&client, "generate_image", &cat);
        assert!(said.starts_with("Flux API error: ") && said.contains(says), "{said}");
    }
    // A picture that lies elsewhere is not fetched.
    let elsewhere = json!({ "id": "p", "status": "succeeded", "output": ["https://localhost:1/a.png"] });
    server.once(CREATE, Answer::json(&elsewhere));
    let said = fails(&client, "generate_image", &cat);
    assert!(said.contains("GET https://localhost:1/a.png was not granted to `flux`"), "{said}");
}

#[test]
fn it_needs_what_it_asks_for() {
    let pictures = pictures();
    let server = replicate(&pictures);
    let cat = json!({ "prompt": "a cat" });
    plugin(&pictures).needs_its_grants(&server, |client| {
        works(client, "generate_image", &cat)?;
        gives_up(&server, CREATE, client, "generate_image", &cat)
    });
}
