"""A plugin against `wit/`, in Python: one tool that describes numbers."""

import json
import statistics

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.tools import (
    TaskSupport,
    Tool,
    ToolAnnotations,
    ToolOutcome_Complete,
    ToolResult,
)
from wit_world.imports.types import Content_Text, Error_Unknown, TextContent

NUMBER = {"type": "number"}
DESCRIBE = Tool(
    name="describe_numbers",
    title="Describe numbers",
    description="Count, mean, median and standard deviation of numbers.",
    input_schema=json.dumps(
        {
            "type": "object",
            "properties": {"numbers": {"type": "array", "items": NUMBER, "maxItems": 10_000}},
            "required": ["numbers"],
            "additionalProperties": False,
        }
    ),
    output_schema=json.dumps(
        {
            "type": "object",
            "properties": {"count": {"type": "integer"}, "mean": NUMBER, "median": NUMBER, "deviation": NUMBER},
            "required": ["count", "mean", "median", "deviation"],
        }
    ),
    annotations=ToolAnnotations(read_only=True, destructive=None, idempotent=True, open_world=False),
    icons=[],
    task_support=TaskSupport.FORBIDDEN,
    meta=None,
)


def answer(text, structured=None):
    content = [Content_Text(TextContent(text=text, annotations=None, meta=None))]
    result = ToolResult(content=content, structured=structured, is_error=structured is None, meta=None)
    return ToolOutcome_Complete(result)


class Tools(exports.Tools):
    def list_tools(self):
        return [DESCRIBE]

    def call_tool(self, call):
        # What is raised is the contract's `error`.
        if call.name != DESCRIBE.name:
            raise Err(Error_Unknown(call.name))
        numbers = json.loads(call.arguments)["numbers"]
        if not numbers:
            return answer("there are no numbers to describe")
        found = {
            "count": len(numbers),
            "mean": statistics.fmean(numbers),
            "median": statistics.median(numbers),
            "deviation": statistics.pstdev(numbers),
        }
        return answer(", ".join(f"{name} {value:g}" for name, value in found.items()), json.dumps(found))
