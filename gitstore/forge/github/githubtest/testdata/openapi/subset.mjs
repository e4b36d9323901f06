// Writes to standard output what GitHub's OpenAPI description says of the
// operations named in operations.txt, with every schema that they use, and
// without prose and examples:
//
//	npm ci && node subset.mjs >../../openapi.json
//
// The description comes from the npm package @octokit/openapi (MIT).
import { readFileSync } from "node:fs";

const root = "node_modules/@octokit/openapi";
const full = JSON.parse(readFileSync(`${root}/generated/api.github.com.json`));
const { version } = JSON.parse(readFileSync(`${root}/package.json`));
const wanted = new Set(readFileSync("operations.txt", "utf8").split("\n").filter(Boolean));

// Prose and examples decide nothing. Below `properties` the keys are names of
// GitHub's fields, one of which is called description.
const prose = new Set(["description", "summary", "example", "examples", "externalDocs", "title", "tags", "deprecated"]);
function bare(node, names) {
  if (Array.isArray(node)) return node.map((n) => bare(n, false));
  if (node === null || typeof node !== "object") return node;
  const out = {};
  for (const [key, value] of Object.entries(node)) {
    if (!names && (prose.has(key) || key.startsWith("x-"))) continue;
    out[key] = key === "enum" || key === "required" ? value : bare(value, !names && key === "properties");
  }
  return out;
}

const paths = {};
for (const [path, item] of Object.entries(full.paths)) {
  for (const [method, operation] of Object.entries(item)) {
    if (!wanted.delete(operation.operationId)) continue;
    (paths[path] ??= {})[method] = bare(operation, false);
  }
}
if (wanted.size > 0) throw new Error(`unknown operations: ${[...wanted].join(", ")}`);

// Everything that is referred to, and what that refers to.
const components = {};
function follow(node) {
  if (node === null || typeof node !== "object") return;
  for (const value of Object.values(node)) follow(value);
  if (typeof node.$ref !== "string") return;
  const [, , kind, name] = node.$ref.split("/");
  if (components[kind]?.[name]) return;
  (components[kind] ??= {})[name] = bare(full.components[kind][name], false);
  follow(components[kind][name]);
}
follow(paths);

// A response must have a description, be it empty.
const responses = [...Object.values(components.responses ?? {})];
for (const item of Object.values(paths)) for (const op of Object.values(item)) responses.push(...Object.values(op.responses));
for (const response of responses) if (!response.$ref) response.description ??= "";

const sorted = (o) => Object.fromEntries(Object.entries(o).sort(([a], [b]) => (a < b ? -1 : 1)));
for (const kind of Object.keys(components)) components[kind] = sorted(components[kind]);
const info = { title: "GitHub REST API, the part that the stand-in answers", version, license: full.info.license };
console.log(JSON.stringify({ openapi: full.openapi, info, paths: sorted(paths), components: sorted(components) }));
