//! The memo of insights, kept in the plugin's state; the reference forgets it when it ends.
//! Must not know how clients reach it.

use kennel_sdk::prelude::*;

/// Under which clients read it.
pub(crate) const URI: &str = "memo://insights";

const KEY: &str = "insights";

/// Adds one; two calls at once lose none.
pub(crate) fn append(insight: String) -> Result<()> {
    let added = state::update(KEY, |insights: Option<Vec<String>>| {
        let mut insights = insights.unwrap_or_default();
        insights.push(insight.clone());
        Ok(Some(insights))
    });
    added.map(drop).context("the insight was not added to the memo")
}

/// All of them as a text.
pub(crate) fn text() -> Result<String> {
    let insights: Option<Vec<String>> = state::get(KEY)?;
    Ok(written(&insights.unwrap_or_default()))
}

fn written(insights: &[String]) -> String {
    if insights.is_empty() {
        return "No business insights have been discovered yet.".to_owned();
    }
    let lines: Vec<_> = insights.iter().map(|insight| format!("- {insight}")).collect();
    let mut memo =
        format!("📊 Business Intelligence Memo 📊\n\nKey Insights Discovered:\n\n{}", lines.join("\n"));
    if let [_, _, ..] = insights {
        memo.push_str(&format!(
            "\nSummary:\nAnalysis has revealed {} key business insights that suggest opportunities for strategic \
             optimization and growth.",
            insights.len()
        ));
    }
    memo
}
