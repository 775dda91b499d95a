// node build.mjs SOURCE.js WIT WORLD OUT.wasm: makes a component of a JavaScript module. It is run where
// `@bytecodealliance/componentize-js` can be found. What of JavaScript's own needs the host is left out, so that the component
// imports nothing that it does not call.

import { writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const [sourcePath, witPath, worldName, out] = process.argv.slice(2);
const { component } = await componentize({
  sourcePath,
  witPath,
  worldName,
  disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
});
await writeFile(out, component);
