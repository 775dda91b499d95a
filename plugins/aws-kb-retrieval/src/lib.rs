//! Retrieval from a knowledge base of Amazon Bedrock: the tool of the published server `server-aws-kb-retrieval`.
//! Needs one HTTPS host, that of the knowledge base's region, and a signature that the host makes.
//! Must not hold a key, nor sign anything: the host does.

use kennel_sdk::api::{Api, Number};
use kennel_sdk::prelude::*;

/// How many sources are named, as published.
const SOURCES: usize = 3;

kennel_sdk::arguments! {
    Retrieve {
        /// The query to perform retrieval on
        query: String,
        /// The ID of the AWS Knowledge Base
        #[serde(rename = "knowledgeBaseId")]
        knowledge_base: String,
        /// Number of results to retrieve
        #[schemars(extend("default" = 3))]
        n: Option<Number>,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    retrieval_results: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    content: Option<Content>,
    #[serde(default)]
    location: Value,
    #[serde(default)]
    metadata: Value,
    #[serde(default)]
    score: Value,
}

#[derive(Deserialize)]
struct Content {
    text: Option<String>,
}

/// Performs retrieval from the AWS Knowledge Base using the provided query and Knowledge Base ID.
#[tool(read_only)]
fn retrieve_from_aws_kb(args: Retrieve) -> Result<ToolResult> {
    let api = Api::new(
        "Amazon Bedrock",
        "https://bedrock-agent-runtime.us-east-1.amazonaws.com",
        "BEDROCK_BASE_URL",
    )
    .settled()?;
    let body = json!({
        "retrievalQuery": { "text": args.query },
        "retrievalConfiguration": { "vectorSearchConfiguration": { "numberOfResults": args.n.unwrap_or(3.into()) } },
    });
    let call = api.post("/knowledgebases/{id}/retrieve").arg("id", &args.knowledge_base).json(&body);
    let answer: Answer = call.read().map_err(|error| error.prefixed("Retrieval failed"))?;
    let (context, sources) = told(&answer.retrieval_results);
    Ok(ToolResult::new()
        .text(format!("Context: {context}"))
        .text(format!("RAG Sources: {}", serde_json::to_string(&sources)?)))
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    id: Value,
    file_name: String,
    snippet: String,
    score: Value,
}

/// All texts, and where the first of them are from.
fn told(found: &[Found]) -> (String, Vec<Source>) {
    let text = |one: &Found| one.content.as_ref().and_then(|content| content.text.clone());
    let context: Vec<String> = found.iter().filter_map(text).collect();
    let with_text = found.iter().filter_map(|one| Some((one, text(one).filter(|text| !text.is_empty())?)));
    let sources = with_text.take(SOURCES).enumerate().map(|(index, (one, snippet))| {
        let uri = one.location.pointer("/s3Location/uri").and_then(Value::as_str).unwrap_or_default();
        let file = uri.rsplit('/').next().filter(|name| !name.is_empty());
        let file = file.map_or_else(|| format!("Source-{index}.txt"), str::to_owned);
        let id = one.metadata.get("x-amz-bedrock-kb-chunk-id").filter(|id| !id.is_null());
        Source {
            id: id.cloned().unwrap_or_else(|| format!("chunk-{index}").into()),
            file_name: file.replace('_', " ").replacen(".txt", "", 1),
            snippet,
            score: if one.score.is_null() { 0.into() } else { one.score.clone() },
        }
    });
    (context.join("\n\n"), sources.collect())
}

plugin! {
    tools: [retrieve_from_aws_kb],
    asks: {
        http: [{
            url: "https://bedrock-agent-runtime.us-east-1.amazonaws.com",
            methods: ["POST"],
            url_from_env: "BEDROCK_BASE_URL",
            why: "asks your knowledge bases",
        }],
        env: [{ name: "BEDROCK_BASE_URL", why: "asks another region than us-east-1" }],
        secrets: [{ name: "key", why: "signs the requests to AWS; the host does" }],
        settings: [{ name: "timeout", why: "how many seconds one request may take; 30 if unset" }],
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn sources_are_named() {
        let found: Vec<Found> = serde_json::from_value(json!([
            { "content": { "text": "one" }, "score": 0.5, "location": { "s3Location": { "uri": "s3://b/a_b.txt" } },
              "metadata": { "x-amz-bedrock-kb-chunk-id": "c1" } },
            { "content": {} },
            { "content": { "text": "two" } },
        ]))
        .unwrap();
        let (context, sources) = told(&found);
        assert_eq!(context, "one\n\ntwo");
        assert_eq!(
            serde_json::to_string(&sources).unwrap(),
            r#"[{"id":"c1","fileName":"a b","snippet":"one","score":0.5},{"id":"chunk-1","fileName":"Source-1","snippet":"two","score":0}]"#
        );
    }
}
