// Drives an MCP server over stdio with the npm clients and prints one JSON report.
//
// Reads a plan from standard input: {"client": "client" (v2) | "sdk" (v1), "mode": "legacy" | "auto" | a version,
// "server": {"command", "args", "env"}, "steps": [{"method", "params"}]}; KENNEL_CLIENTS names the folder whose
// node_modules has the packages. Prints {"negotiated": version, "answers": [{"result"} | {"error": {"code", "message"}}]}.
import { createRequire } from "node:module";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const require = createRequire(join(process.env.KENNEL_CLIENTS, "package.json"));
const plan = JSON.parse(await text(process.stdin));
const info = { name: `kennel-tests-${plan.client}`, version: "0" };

function connectable() {
  if (plan.client === "sdk") {
    const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
    const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
    return [new Client(info), new StdioClientTransport({ ...plan.server, stderr: "inherit" })];
  }
  const { Client } = require("@modelcontextprotocol/client");
  const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");
  const mode = ["legacy", "auto"].includes(plan.mode) ? plan.mode : { pin: plan.mode };
  return [
    new Client(info, { versionNegotiation: { mode } }),
    new StdioClientTransport({ ...plan.server, stderr: "inherit" }),
  ];
}

const methods = {
  "tools/list": (client) => client.listTools(),
  "tools/call": (client, params) => client.callTool(params),
  "resources/list": (client) => client.listResources(),
  "resources/templates/list": (client) => client.listResourceTemplates(),
  "resources/read": (client, params) => client.readResource(params),
  "prompts/list": (client) => client.listPrompts(),
  "prompts/get": (client, params) => client.getPrompt(params),
  "completion/complete": (client, params) => client.complete(params),
};

const [client, transport] = connectable();
await client.connect(transport);
const answers = [];
for (const { method, params } of plan.steps) {
  try {
    answers.push({ result: await methods[method](client, params ?? {}) });
  } catch (error) {
    answers.push({ error: { code: error.code ?? null, message: String(error.message ?? error) } });
  }
}
const negotiated = client.getNegotiatedProtocolVersion?.() ?? client._negotiatedProtocolVersion ?? null;
await client.close();
process.stdout.write(JSON.stringify({ negotiated, answers }) + "\n");
