//! EverArt: a generation is begun, asked after until it is ready, and told by its URL.

use std::sync::atomic::{AtomicUsize, Ordering};

use kennel_tests::web::{Answer, Asked, WebServer};
use kennel_tests::web_plugin::{KEY, WebPlugin, fails, gives_up, told, works};
use serde_json::json;

const EVERART: WebPlugin = WebPlugin {
    name: "everart",
    variable: "EVERART_BASE_URL",
    methods: "[\"GET\", \"POST\"]",
    secret: Some(("key", "as = \"bearer\"")),
    state: false,
    more: Vec::new(),
};

fn everart() -> WebServer {
    let asked_after = AtomicUsize::new(0);
    WebServer::tls(move |asked: &Asked| {
        if asked.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return Answer::failure(401, &json!({ "error": "unauthorized" }));
        }
        let ready = json!({ "id": "g1", "status": "SUCCEEDED", "image_url": "https://cdn.example/1.png" });
        match asked.line().as_str() {
            "POST /models/5000/generations" => Answer::json(
                &json!({ "generations": [{ "id": "g1", "status": "STARTING", "image_url": null }] }),
            ),
            "GET /generations/g1" if asked_after.fetch_add(1, Ordering::SeqCst) == 0 => Answer::json(
                &json!({ "generation": { "id": "g1", "status": "PROCESSING", "image_url": null } }),
            ),
            "GET /generations/g1" => Answer::json(&json!({ "generation": ready })),
            _ => Answer::status(404),
        }
    })
}

#[test]
fn an_image_is_generated() {
    let server = everart();
    let (_home, client) = EVERART.start(&server, "");
    assert_eq!(
        told(&client, "generate_image", &json!({ "prompt": "a \"cat\"" })),
        "Image generated successfully!\n\nGeneration details:\n- Model: 5000\n- Prompt: \"a \"cat\"\"\n\
         - Image URL: https://cdn.example/1.png\n\nYou can click the URL above to view the image."
    );
    let begun = &server.asked()[0];
    assert_eq!(
        begun.json(),
        json!({ "prompt": "a \"cat\"", "type": "txt2img", "height": 1024, "width": 1024, "image_count": 1 })
    );
    assert_eq!(server.lines().len(), 3);
    let listed = client.request("resources/list", json!({})).unwrap();
    assert_eq!(listed["resources"][0]["uri"], "everart://images");
    let read = client.request("resources/read", json!({ "uri": "everart://images" })).unwrap();
    assert_eq!(
        (&read["contents"][0]["blob"], &read["contents"][0]["mimeType"]),
        (&json!(""), &json!("image/png"))
    );
}

#[test]
fn failures_are_told() {
    let (server, cat) = (everart(), json!({ "prompt": "a cat" }));
    EVERART.tells_failures(&server, "POST /models/5000/generations", "generate_image", &cat, "Error: ");
    let (_home, client) = EVERART.start(&server, "");
    let failed = json!({ "generations": [{ "id": "g1", "status": "FAILED", "image_url": null }] });
    server.once("POST /models/5000/generations", Answer::json(&failed));
    let said = fails(&client, "generate_image", &cat);
    assert_eq!(said, "Error: No image URL: EverArt says FAILED; change the prompt, or try again");
}

#[test]
fn it_needs_what_it_asks_for() {
    let (server, cat) = (everart(), json!({ "prompt": "a cat" }));
    EVERART.needs_its_grants(&server, |client| {
        works(client, "generate_image", &cat)?;
        gives_up(&server, "POST /models/5000/generations", client, "generate_image", &cat)
    });
}
