//! Amazon Bedrock: a knowledge base is asked with a signature that the host makes. That it is the right one is shown with
//! the other secrets; here it has to be there, for this region and service.

use kennel_tests::web::{Answer, Asked, WebServer};
use kennel_tests::web_plugin::{KEY, WebPlugin, gives_up, works};
use serde_json::json;

const BEDROCK: WebPlugin = WebPlugin {
    name: "aws-kb-retrieval",
    variable: "BEDROCK_BASE_URL",
    methods: "[\"POST\"]",
    secret: Some((
        "key",
        "as = \"aws-sigv4\"\naccess-key-id = \"AKIDEXAMPLE\"\nregion = \"eu-central-1\"\nservice = \"bedrock\"",
    )),
    state: false,
    more: Vec::new(),
};

const LINE: &str = "POST /knowledgebases/KB1/retrieve";

fn answer(asked: &Asked) -> Answer {
    let signed = asked.header("authorization").is_some_and(|signature| {
        signature.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
            && signature.contains("/eu-central-1/bedrock/aws4_request, SignedHeaders=")
    });
    if !signed || asked.header("x-amz-date").is_none() {
        return Answer::failure(403, &json!({ "message": "Missing Authentication Token" }));
    }
    let found = |text: &str| json!({ "content": { "text": text }, "score": 0.5, "metadata": { "x-amz-bedrock-kb-chunk-id": text } });
    match asked.line().as_str() {
        LINE => {
            Answer::json(&json!({ "retrievalResults": [found("a"), found("b"), found("c"), found("d")] }))
        }
        _ => Answer::failure(404, &json!({ "message": "no such knowledge base" })),
    }
}

#[test]
fn a_knowledge_base_is_asked() {
    let server = WebServer::tls(answer);
    let (_home, client) = BEDROCK.start(&server, "");
    let result =
        client.call("retrieve_from_aws_kb", &json!({ "query": "what?", "knowledgeBaseId": "KB1", "n": 4 }));
    assert_ne!(result["isError"], true, "{result}\n{}", client.stderr());
    assert_eq!(result["content"][0]["text"], "Context: a\n\nb\n\nc\n\nd");
    let sources = result["content"][1]["text"].as_str().unwrap().strip_prefix("RAG Sources: ").unwrap();
    let sources: serde_json::Value = serde_json::from_str(sources).unwrap();
    assert_eq!(sources.as_array().unwrap().len(), 3);
    assert_eq!(sources[0], json!({ "id": "a", "fileName": "Source-0", "snippet": "a", "score": 0.5 }));
    assert_eq!(
        server.last().json(),
        json!({
            "retrievalQuery": { "text": "what?" },
            "retrievalConfiguration": { "vectorSearchConfiguration": { "numberOfResults": 4 } },
        })
    );
    assert!(!client.stderr().contains(KEY));
}

#[test]
fn failures_are_told() {
    let server = WebServer::tls(answer);
    let query = json!({ "query": "x", "knowledgeBaseId": "KB1" });
    BEDROCK.tells_failures(&server, LINE, "retrieve_from_aws_kb", &query, "Retrieval failed: ");
}

#[test]
fn it_needs_what_it_asks_for() {
    let server = WebServer::tls(answer);
    let query = json!({ "query": "x", "knowledgeBaseId": "KB1" });
    BEDROCK.needs_its_grants(&server, |client| {
        works(client, "retrieve_from_aws_kb", &query)?;
        gives_up(&server, LINE, client, "retrieve_from_aws_kb", &query)
    });
}
