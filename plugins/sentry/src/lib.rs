//! Issues of Sentry with the stack trace of their latest event: the tool and the prompt of the published server
//! `mcp-server-sentry`.
//! Needs one HTTPS host, or the one that `SENTRY_BASE_URL` names, and a token that the host puts in.
//! Must not hold the token.

mod issue;
mod trace;

use kennel_sdk::prelude::*;

kennel_sdk::arguments! {
    GetIssue {
        /// Sentry issue ID or URL to analyze
        issue_id_or_url: String,
    }

    Issue {
        /// Sentry issue ID or URL
        issue_id_or_url: String,
    }
}

/// The words of the published server, with its indentation.
const GET: &str = "Retrieve and analyze a Sentry issue by ID or URL. Use this tool when you need to:
                - Investigate production errors and crashes
                - Access detailed stacktraces from Sentry
                - Analyze error patterns and frequencies
                - Get information about when issues first/last occurred
                - Review error counts and status";

#[tool(description = GET, read_only)]
fn get_sentry_issue(args: GetIssue) -> Result<String> {
    Ok(issue::fetch(&args.issue_id_or_url)?.to_string())
}

/// Retrieve a Sentry issue by ID or URL
#[prompt(name = "sentry-issue")]
fn sentry_issue(args: Issue) -> Result<PromptResult> {
    let issue = issue::fetch(&args.issue_id_or_url)?;
    let title = format!("Sentry Issue: {}", issue.title);
    Ok(PromptResult::new(vec![Message::user(issue.to_string())]).description(title))
}

plugin! {
    tools: [get_sentry_issue],
    prompts: [sentry_issue],
    asks: {
        http: [{
            url: "https://sentry.io",
            methods: ["GET"],
            url_from_env: "SENTRY_BASE_URL",
            why: "reads issues and their events",
        }],
        env: [{ name: "SENTRY_BASE_URL", why: "asks another server than https://sentry.io/api/0" }],
        secrets: [{ name: "token", why: "says to Sentry who you are; the host puts it in" }],
        settings: [{ name: "timeout", why: "how many seconds one request may take; 30 if unset" }],
    },
}
