// Drives the plugin `everything` over stdio with an npm client that answers questions, and prints one JSON report.
// The plan and the report are those of fixtures.py; "client" is "client" (v2) or "sdk" (v1), and KENNEL_CLIENTS names
// the folder whose node_modules has the packages.
import { createRequire } from "node:module";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const require = createRequire(join(process.env.KENNEL_CLIENTS, "package.json"));
const plan = JSON.parse(await text(process.stdin));
const info = { name: `kennel-tests-${plan.client}`, version: "0" };
const capabilities = { elicitation: { form: {} }, sampling: {}, roots: {} };
const PATIENCE = 60_000;

const { answers: person } = plan;
const asked = [];
const heard = [];
let news = () => {};

/** What the person behind the client does, by method. */
const answering = {
  "elicitation/create": ({ requestedSchema }) => {
    if (person.action !== "accept") return { action: person.action };
    const wanted = Object.keys(requestedSchema.properties).filter((key) => key in person.form);
    return { action: "accept", content: Object.fromEntries(wanted.map((key) => [key, person.form[key]])) };
  },
  "sampling/createMessage": () => ({
    role: "assistant",
    content: { type: "text", text: person.model },
    model: "test",
    stopReason: "endTurn",
  }),
  "roots/list": () => ({ roots: person.roots.map((uri) => ({ uri })) }),
};

const notifications = [
  "notifications/message",
  "notifications/tools/list_changed",
  "notifications/prompts/list_changed",
  "notifications/resources/list_changed",
  "notifications/resources/updated",
];

function answer(method) {
  return async ({ params }) => {
    asked.push({ method, params: params ?? {} });
    return answering[method](params ?? {});
  };
}

function note(method) {
  return ({ params }) => {
    heard.push({ method, params: params ?? {} });
    news();
  };
}

async function until(methods) {
  const end = Date.now() + PATIENCE;
  while (!methods.every((method) => heard.some((message) => message.method === method))) {
    if (Date.now() > end) throw new Error(`not heard: ${methods}, only ${JSON.stringify(heard)}`);
    await new Promise((resolve) => {
      news = resolve;
      setTimeout(resolve, 1000);
    });
  }
}

function first() {
  const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
  const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
  const types = require("@modelcontextprotocol/sdk/types.js");
  const schemas = {
    "elicitation/create": types.ElicitRequestSchema,
    "sampling/createMessage": types.CreateMessageRequestSchema,
    "roots/list": types.ListRootsRequestSchema,
    "notifications/message": types.LoggingMessageNotificationSchema,
    "notifications/tools/list_changed": types.ToolListChangedNotificationSchema,
    "notifications/prompts/list_changed": types.PromptListChangedNotificationSchema,
    "notifications/resources/list_changed": types.ResourceListChangedNotificationSchema,
    "notifications/resources/updated": types.ResourceUpdatedNotificationSchema,
  };
  return [new Client(info, { capabilities }), StdioClientTransport, (method) => schemas[method]];
}

function second() {
  const { Client } = require("@modelcontextprotocol/client");
  const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");
  const mode = ["legacy", "auto"].includes(plan.mode) ? plan.mode : { pin: plan.mode };
  return [new Client(info, { capabilities, versionNegotiation: { mode } }), StdioClientTransport, (method) => method];
}

const [client, Transport, named] = plan.client === "sdk" ? first() : second();
for (const method of Object.keys(answering)) client.setRequestHandler(named(method), answer(method));
for (const method of notifications) client.setNotificationHandler(named(method), note(method));
await client.connect(new Transport({ ...plan.server, stderr: "inherit" }));
const negotiated = client.getNegotiatedProtocolVersion?.() ?? client._negotiatedProtocolVersion ?? null;
const modern = (negotiated ?? "") >= "2026";

async function call(params) {
  const progress = [];
  const onprogress = ({ progress: done, total, message }) => progress.push([done, total ?? null, message ?? null]);
  const options = { onprogress, timeout: PATIENCE };
  const result = await (plan.client === "sdk" ? client.callTool(params, undefined, options) : client.callTool(params, options));
  return { result, progress };
}

/** Subscribes as the era has it, calls the tools and waits until everything was heard. */
async function watch({ uri, tools, expect }) {
  const listening = modern
    ? await client.listen({
        toolsListChanged: true,
        promptsListChanged: true,
        resourcesListChanged: true,
        resourceSubscriptions: [uri],
      })
    : await client.subscribeResource({ uri });
  for (const name of tools) await client.callTool({ name, arguments: {} });
  await until(expect);
  await (modern ? listening.close() : client.unsubscribeResource({ uri }));
  return { result: {} };
}

const methods = {
  "tools/list": async () => ({ result: await client.listTools() }),
  "tools/call": call,
  "resources/list": async () => ({ result: await client.listResources() }),
  "resources/templates/list": async () => ({ result: await client.listResourceTemplates() }),
  "resources/read": async (params) => ({ result: await client.readResource(params) }),
  "prompts/list": async () => ({ result: await client.listPrompts() }),
  "prompts/get": async (params) => ({ result: await client.getPrompt(params) }),
  "completion/complete": async (params) => ({ result: await client.complete(params) }),
  "logging/setLevel": async ({ level }) => ({ result: await client.setLoggingLevel(level) }),
  watch,
};

const answers = [];
for (const { method, params } of plan.steps) {
  try {
    answers.push(await methods[method](params ?? {}));
  } catch (error) {
    answers.push({ error: { code: error.code ?? null, message: String(error.message ?? error) } });
  }
}
await client.close();
process.stdout.write(JSON.stringify({ negotiated, answers, asked, heard }) + "\n");
