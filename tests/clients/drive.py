"""Drives an MCP server over stdio with the PyPI clients and prints one JSON report.

Reads a plan from standard input: {"client": "mcp" | "fastmcp", "mode": "legacy" | "auto" | "2026-07-28",
"server": {"command", "args", "env"}, "config": {...} (fastmcp), "steps": [{"method", "params"}]}.
Prints {"negotiated": version, "answers": [{"result": ...} | {"error": {"code", "message"}}]}.
"""

import asyncio
import json
import sys

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


async def with_mcp(plan):
    server = StdioServerParameters(**plan["server"])
    async with Client(server, mode=plan["mode"]) as client:
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
