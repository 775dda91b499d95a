"""Drives an MCP server over stdio with the PyPI clients and prints one JSON report.

Reads a plan from standard input: {"client": "mcp" | "fastmcp", "mode": "legacy" | "auto" | "2026-07-28",
"server": {"command", "args", "env"}, "config": {...} (fastmcp), "steps": [{"method", "params"}],
"answers": {"form": content, "url": action, "sample": text, "root": URI} for a client that can be asked (mcp)}.
Prints {"negotiated": version, "answers": [{"result": ...} | {"error": {"code", "message"}}]}.
"""

import asyncio
import json
import sys

import mcp_types as types
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference


async def step(client, method, params):
    match method:
        case "tools/list":
            return await client.list_tools()
        case "tools/call":
            return await client.call_tool(params["name"], params.get("arguments"))
        case "resources/list":
            return await client.list_resources()
        case "resources/templates/list":
            return await client.list_resource_templates()
        case "resources/read":
            return await client.read_resource(params["uri"])
        case "prompts/list":
            return await client.list_prompts()
        case "prompts/get":
            return await client.get_prompt(params["name"], params.get("arguments"))
        case "completion/complete":
            ref = params["ref"]
            kind = PromptReference if ref["type"] == "ref/prompt" else ResourceTemplateReference
            return await client.complete(kind.model_validate(ref), params["argument"])
    raise ValueError(f"no such step: {method}")


def callbacks(answers):
    """What the client answers with when it is asked; a client that is given none declares nothing."""

    async def elicit(context, params):
        if params.mode == "url":
            return types.ElicitResult(action=answers["url"])
        return types.ElicitResult(action="accept", content=answers["form"])

    async def sample(context, params):
        content = types.TextContent(type="text", text=answers["sample"])
        return types.CreateMessageResult(role="assistant", model="m", content=content)

    async def roots(context):
        return types.ListRootsResult(roots=[types.Root(uri=answers["root"])])

    return {"elicitation_callback": elicit, "sampling_callback": sample, "list_roots_callback": roots}


async def with_mcp(plan):
    server = StdioServerParameters(**plan["server"])
    answers = callbacks(plan["answers"]) if plan.get("answers") else {}
    async with Client(server, mode=plan["mode"], **answers) as client:
        answers = []
        for one in plan["steps"]:
            try:
                result = await step(client, one["method"], one.get("params", {}))
                answers.append({"result": result.model_dump(mode="json", by_alias=True, exclude_none=True)})
            except MCPError as error:
                answers.append({"error": {"code": error.error.code, "message": error.error.message}})
        return {"negotiated": client.protocol_version, "answers": answers}


async def with_fastmcp(plan):
    """FastMCP takes a client configuration exactly as people paste it."""
    from fastmcp import Client as FastClient

    async with FastClient(plan["config"]) as client:
        tools = await client.list_tools()
        return {"negotiated": None, "answers": [{"result": {"tools": [{"name": tool.name} for tool in tools]}}]}


plan = json.load(sys.stdin)
drive = with_fastmcp if plan["client"] == "fastmcp" else with_mcp
print(json.dumps(asyncio.run(drive(plan))))
