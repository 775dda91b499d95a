// npm install --package-lock-only && node lock.mjs: makes a lock that `npm ci` takes. npm's own lists some of the packages that
// come once for each system and misses others, and then finds itself out of step. What stays is for the systems that Kennel is for.

import { readFileSync, writeFileSync } from "node:fs";

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
const ours = /(linux-x64|linux-arm64|darwin-arm64)(-gnu)?$/;
for (const [path, entry] of Object.entries(lock.packages)) {
  if (entry.optional && !ours.test(path)) delete lock.packages[path];
}
for (const entry of Object.values(lock.packages)) {
  for (const name of Object.keys(entry.optionalDependencies ?? {})) {
    if (!lock.packages[`node_modules/${name}`]) delete entry.optionalDependencies[name];
  }
}
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
