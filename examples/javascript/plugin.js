// A plugin against `wit/`, in JavaScript: one tool that makes a slug of a title.

const tool = {
  name: "slug",
  title: "Slug",
  description: "Makes a slug of a title: lower case letters and digits, the rest a hyphen.",
  inputSchema: JSON.stringify({
    type: "object",
    properties: {
      title: { type: "string", description: "The title" },
      longest: { type: "integer", minimum: 1, maximum: 200, description: "Cut after so many characters" },
    },
    required: ["title"],
    additionalProperties: false,
  }),
  outputSchema: JSON.stringify({
    type: "object",
    properties: { slug: { type: "string" } },
    required: ["slug"],
    additionalProperties: false,
  }),
  annotations: { readOnly: true, destructive: undefined, idempotent: true, openWorld: false },
  icons: [],
  taskSupport: "forbidden",
};

function slug({ title, longest = 200 }) {
  return title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, longest)
    .replace(/-+$/, "");
}

const text = (text) => ({ tag: "text", val: { text } });

export const tools = {
  listTools() {
    return [tool];
  },

  callTool({ name, arguments: given }) {
    // What is thrown is the contract's `error`.
    if (name !== tool.name) throw { tag: "unknown", val: name };
    const made = slug(JSON.parse(given));
    const failed = made === "";
    const val = failed
      ? { content: [text("the title holds no letter or digit")], isError: true }
      : { content: [text(made)], structured: JSON.stringify({ slug: made }), isError: false };
    return { tag: "complete", val };
  },
};
