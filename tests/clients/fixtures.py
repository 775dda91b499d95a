"""Drives the plugin `everything` over stdio with a PyPI client that answers questions, and prints one JSON report.

Reads a plan from standard input: {"client": "mcp" | "fastmcp", "mode": "legacy" | "auto" | "2026-07-28",
"server": {"command", "args", "env"}, "answers": {"action", "form": {field: value}, "model": text, "roots": [uri]},
"steps": [{"method", "params"}]}. A form is filled in with the values of `answers.form` that it asks for.
The step "watch" subscribes to `uri` and to all lists, calls `tools` and waits until `expect` was heard.
Prints {"negotiated", "answers": [{"result", "progress"} | {"error"}], "asked": [{method, params}], "heard": [...]}.
"""

import asyncio
import json
import sys

import mcp_types as types
from fastmcp import Client as FastClient
from fastmcp.client.transports import StdioTransport
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

PATIENCE = 60


def dumped(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


class Person:
    """Who answers, and what was asked and heard."""

    def __init__(self, answers):
        self.answers, self.asked, self.heard, self.news = answers, [], [], asyncio.Event()

    def ask(self, method, params):
        self.asked.append({"method": method, "params": dumped(params) if params is not None else {}})

    async def elicit(self, context, params):
        self.ask("elicitation/create", params)
        if self.answers["action"] != "accept":
            return types.ElicitResult(action=self.answers["action"])
        form = self.answers["form"]
        wanted = params.requested_schema["properties"]
        return types.ElicitResult(action="accept", content={key: form[key] for key in wanted if key in form})

    async def sample(self, context, params):
        self.ask("sampling/createMessage", params)
        content = types.TextContent(type="text", text=self.answers["model"])
        return types.CreateMessageResult(role="assistant", content=content, model="test", stop_reason="endTurn")

    async def roots(self, context):
        self.ask("roots/list", None)
        return types.ListRootsResult(roots=[types.Root(uri=uri) for uri in self.answers["roots"]])

    async def hear(self, message):
        if isinstance(message, Exception):
            raise message
        self.note(dumped(message))

    def note(self, message):
        self.heard.append({"method": message["method"], "params": message.get("params", {})})
        self.news.set()

    async def until(self, methods):
        async with asyncio.timeout(PATIENCE):
            while not set(methods) <= {message["method"] for message in self.heard}:
                self.news.clear()
                await self.news.wait()


class Mcp:
    """The PyPI package `mcp`."""

    def __init__(self, plan, person):
        self.client = Client(
            StdioServerParameters(**plan["server"]),
            mode=plan["mode"],
            elicitation_callback=person.elicit,
            sampling_callback=person.sample,
            list_roots_callback=person.roots,
            message_handler=person.hear,
        )
        self.call_tool = self.client.call_tool
        self.progress = "progress_callback"
        self.lists = {
            "tools/list": self.client.list_tools,
            "resources/list": self.client.list_resources,
            "resources/templates/list": self.client.list_resource_templates,
            "prompts/list": self.client.list_prompts,
        }
        self.read, self.prompt = self.client.read_resource, self.client.get_prompt
        self.complete, self.set_level = self.client.complete, self.client.set_logging_level


class Fast:
    """The PyPI package `fastmcp`."""

    def __init__(self, plan, person):
        async def elicit(message, response_type, params, context):
            return await person.elicit(context, params)

        async def sample(messages, params, context):
            return await person.sample(context, params)

        def roots(context):
            person.ask("roots/list", None)
            return [types.Root(uri=uri) for uri in person.answers["roots"]]

        self.client = FastClient(
            StdioTransport(**plan["server"], keep_alive=False),
            mode=plan["mode"],
            elicitation_handler=elicit,
            sampling_handler=sample,
            roots=roots,
            message_handler=person.hear,
        )
        self.call_tool = self.client.call_tool_mcp
        self.progress = "progress_handler"
        self.lists = {
            "tools/list": self.client.list_tools_mcp,
            "resources/list": self.client.list_resources_mcp,
            "resources/templates/list": self.client.list_resource_templates_mcp,
            "prompts/list": self.client.list_prompts_mcp,
        }
        self.read, self.prompt = self.client.read_resource_mcp, self.client.get_prompt_mcp
        self.complete, self.set_level = self.client.complete_mcp, self.client.set_logging_level


async def step(driver, session, person, method, params):
    meta = {"meta": params["_meta"]} if "_meta" in params else {}
    match method:
        case "tools/call":
            progress = []

            async def note(done, total, message):
                progress.append([done, total, message])

            result = await driver.call_tool(params["name"], params.get("arguments", {}), **{driver.progress: note}, **meta)
            return {"result": dumped(result), "progress": progress}
        case "resources/read":
            result = await driver.read(params["uri"])
        case "prompts/get":
            result = await driver.prompt(params["name"], params.get("arguments"))
        case "completion/complete":
            ref = params["ref"]
            kind = types.PromptReference if ref["type"] == "ref/prompt" else types.ResourceTemplateReference
            result = await driver.complete(kind.model_validate(ref), params["argument"])
        case "logging/setLevel":
            await driver.set_level(params["level"])
            return {"result": {}}
        case "watch":
            await watch(driver, session, person, params)
            return {"result": {}}
        case _:
            result = await driver.lists[method]()
    return {"result": dumped(result)}


async def watch(driver, session, person, params):
    """Subscribes as the era has it; what comes is heard where everything is."""
    if session.protocol_version < "2026":
        await session.subscribe_resource(params["uri"])
        for tool in params["tools"]:
            await driver.call_tool(tool, {})
        await person.until(params["expect"])
        await session.unsubscribe_resource(params["uri"])
        return
    listening = Client.listen(
        driver.client,
        tools_list_changed=True,
        prompts_list_changed=True,
        resources_list_changed=True,
        resource_subscriptions=[params["uri"]],
    )
    async with listening:
        for tool in params["tools"]:
            await driver.call_tool(tool, {})
        await person.until(params["expect"])


async def run(plan):
    person = Person(plan["answers"])
    driver = (Fast if plan["client"] == "fastmcp" else Mcp)(plan, person)
    answers = []
    async with driver.client as client:
        session = client.session
        for one in plan["steps"]:
            try:
                answers.append(await step(driver, session, person, one["method"], one.get("params", {})))
            except MCPError as error:
                answers.append({"error": {"code": error.error.code, "message": error.error.message}})
        negotiated = session.protocol_version
    return {"negotiated": negotiated, "answers": answers, "asked": person.asked, "heard": person.heard}


print(json.dumps(asyncio.run(run(json.load(sys.stdin)))))
