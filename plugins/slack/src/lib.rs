//! Channels, messages and users of a Slack workspace: the tools of the published server `server-slack`.
//! Needs one HTTPS host, or the one that `SLACK_BASE_URL` names, and a bot's token that the host puts in.
//! Must not hold the token, nor know how a request is made: the SDK does.

use kennel_sdk::api::{Api, ApiError, Call, Number};
use kennel_sdk::prelude::*;

/// The most channels or users of one page, as Slack recommends.
const MOST: f64 = 200.0;

kennel_sdk::arguments! {
    ListChannels {
        /// Maximum number of channels to return (default 100, max 200)
        #[schemars(extend("default" = 100))]
        limit: Option<Number>,
        /// Pagination cursor for next page of results
        cursor: Option<String>,
    }

    PostMessage {
        /// The ID of the channel to post to
        channel_id: String,
        /// The message text to post
        text: String,
    }

    ReplyToThread {
        /// The ID of the channel containing the thread
        channel_id: String,
        /// The timestamp of the parent message in the format '1234567890.123456'. Timestamps in the format without the period can be converted by adding the period such that 6 numbers come after it.
        thread_ts: String,
        /// The reply text
        text: String,
    }

    AddReaction {
        /// The ID of the channel containing the message
        channel_id: String,
        /// The timestamp of the message to react to
        timestamp: String,
        /// The name of the emoji reaction (without ::)
        reaction: String,
    }

    GetChannelHistory {
        /// The ID of the channel
        channel_id: String,
        /// Number of messages to retrieve (default 10)
        #[schemars(extend("default" = 10))]
        limit: Option<Number>,
    }

    GetThreadReplies {
        /// The ID of the channel containing the thread
        channel_id: String,
        /// The timestamp of the parent message in the format '1234567890.123456'. Timestamps in the format without the period can be converted by adding the period such that 6 numbers come after it.
        thread_ts: String,
    }

    GetUsers {
        /// Pagination cursor for next page of results
        cursor: Option<String>,
        /// Maximum number of users to return (default 100, max 200)
        #[schemars(extend("default" = 100))]
        limit: Option<Number>,
    }

    GetUserProfile {
        /// The ID of the user
        user_id: String,
    }
}

fn slack() -> Result<Api> {
    Api::new("Slack", "https://slack.com/api", "SLACK_BASE_URL").settled()
}

fn failure(error: &ApiError) -> Error {
    error.prefixed("Slack API error")
}

/// Slack's answer as it is; Slack says in it whether it did what it was asked to.
fn told(call: Call<'_>) -> Result<ToolResult> {
    let answer = call.value().map_err(|error| failure(&error))?;
    let refused = answer.get("ok") != Some(&Value::Bool(true));
    Ok(ToolResult::new().text(answer.to_string()).is_error(refused))
}

/// A number of items that Slack takes.
fn limit(wanted: Option<Number>) -> Number {
    wanted.filter(|wanted| wanted.get() <= MOST).unwrap_or_else(|| (MOST as u32).into())
}

/// The workspace, for a token that is good for several.
fn team() -> Option<String> {
    std::env::var("SLACK_TEAM_ID").ok().filter(|team| !team.is_empty())
}

/// List public or pre-defined channels in the workspace with pagination
#[tool(read_only)]
fn slack_list_channels(args: ListChannels) -> Result<ToolResult> {
    let api = slack()?;
    if let Some(channels) = std::env::var("SLACK_CHANNEL_IDS").ok().filter(|channels| !channels.is_empty()) {
        return chosen(&api, &channels);
    }
    let limit = limit(args.limit.or_else(|| Some(100.into())));
    told(
        api.get("/conversations.list")
            .query("types", "public_channel")
            .query("exclude_archived", true)
            .arg("limit", &limit)
            .arg("team_id", &team())
            .arg("cursor", &args.cursor.filter(|cursor| !cursor.is_empty())),
    )
}

/// The channels that a person chose, but for those that are archived or cannot be seen.
fn chosen(api: &Api, channels: &str) -> Result<ToolResult> {
    let mut seen = Vec::new();
    for channel in channels.split(',').map(str::trim) {
        let answer = api.get("/conversations.info").query("channel", channel).value();
        let answer = answer.map_err(|error| failure(&error))?;
        match answer.get("channel") {
            Some(channel) if answer["ok"] == true && channel["is_archived"] != true => {
                seen.push(channel.clone())
            }
            _ => {}
        }
    }
    let answer = json!({ "ok": true, "channels": seen, "response_metadata": { "next_cursor": "" } });
    Ok(ToolResult::new().text(answer.to_string()))
}

/// Post a new message to a Slack channel
#[tool]
fn slack_post_message(args: PostMessage) -> Result<ToolResult> {
    told(slack()?.post("/chat.postMessage").args(&args).renamed("channel_id", "channel"))
}

/// Reply to a specific message thread in Slack
#[tool]
fn slack_reply_to_thread(args: ReplyToThread) -> Result<ToolResult> {
    told(slack()?.post("/chat.postMessage").args(&args).renamed("channel_id", "channel"))
}

/// Add a reaction emoji to a message
#[tool]
fn slack_add_reaction(args: AddReaction) -> Result<ToolResult> {
    let api = slack()?;
    told(api.post("/reactions.add").args(&args).renamed("channel_id", "channel").renamed("reaction", "name"))
}

/// Get recent messages from a channel
#[tool(read_only)]
fn slack_get_channel_history(args: GetChannelHistory) -> Result<ToolResult> {
    let limit = args.limit.unwrap_or(10.into());
    told(slack()?.get("/conversations.history").query("channel", args.channel_id).query("limit", limit))
}

/// Get all replies in a message thread
#[tool(read_only)]
fn slack_get_thread_replies(args: GetThreadReplies) -> Result<ToolResult> {
    told(slack()?.get("/conversations.replies").query("channel", args.channel_id).query("ts", args.thread_ts))
}

/// Get a list of all users in the workspace with their basic profile information
#[tool(read_only)]
fn slack_get_users(args: GetUsers) -> Result<ToolResult> {
    let limit = limit(args.limit.or_else(|| Some(100.into())));
    let api = slack()?;
    let call = api.get("/users.list").arg("limit", &limit).arg("team_id", &team());
    told(call.arg("cursor", &args.cursor.filter(|cursor| !cursor.is_empty())))
}

/// Get detailed profile information for a specific user
#[tool(read_only)]
fn slack_get_user_profile(args: GetUserProfile) -> Result<ToolResult> {
    told(slack()?.get("/users.profile.get").query("user", args.user_id).query("include_labels", true))
}

plugin! {
    tools: [
        slack_list_channels, slack_post_message, slack_reply_to_thread, slack_add_reaction, slack_get_channel_history,
        slack_get_thread_replies, slack_get_users, slack_get_user_profile,
    ],
    asks: {
        http: [{
            url: "https://slack.com",
            methods: ["GET", "POST"],
            url_from_env: "SLACK_BASE_URL",
            why: "reads and posts what the tools name",
        }],
        env: [
            { name: "SLACK_BASE_URL", why: "asks another server than https://slack.com/api" },
            { name: "SLACK_TEAM_ID", why: "names the workspace, for a token that is good for several" },
            { name: "SLACK_CHANNEL_IDS", why: "names the channels that are listed, parted by commas" },
        ],
        secrets: [{ name: "token", why: "says to Slack which bot you are; the host puts it in" }],
        settings: [{ name: "timeout", why: "how many seconds one request may take; 30 if unset" }],
    },
}
