// Reads the vendor's client and writes the part of its contract that the simulator serves: an OpenAPI description
// (../openapi.json) and the fields that requests may have (../../fields.json).
//
//   npm ci && node extract.mjs node_modules/purecloud-platform-client-v2 ../routes.txt ../openapi.json ../../fields.json
//
// The client says operations, parameters, models and the types of their fields. It does not say which fields are
// read-only, which values an enumeration has, nor which status codes are answered: those are left open.
import fs from 'node:fs';

const [root, routesFile, openapiFile, fieldsFile] = process.argv.slice(2);
const types = fs.readFileSync(root + '/index.d.ts', 'utf8');
const src = root + '/src/purecloud-platform-client-v2/api/';
const shape = (p) => p.replace(/\{[^}]*\}/g, '{}');

// Models: name -> [{name, required, type}].
const models = new Map();
for (const m of types.matchAll(/export interface (\w+) \{ ?\n([\s\S]*?)\n\t\}/g)) {
  const list = [];
  for (const f of m[2].matchAll(/^\t\t"([^"]+)"(\??): (.*);$/gm)) list.push({ name: f[1], required: !f[2], type: f[3] });
  if (!models.has(m[1])) models.set(m[1], list);
}

// Signatures: operation -> {args: {name: type}, result}.
const signatures = new Map();
for (const m of types.matchAll(/^\s+(\w+)\((.*)\): Promise<(.*)>;$/gm)) {
  const args = {};
  for (const a of m[2].split(/, (?=\w+\??: )/)) {
    const i = a.indexOf(': ');
    if (i > 0) args[a.slice(0, i).replace('?', '')] = a.slice(i + 2);
  }
  signatures.set(m[1], { args, result: m[3] });
}

// Operations: "METHOD path" -> {id, path, query, body}.
const operations = new Map();
for (const file of fs.readdirSync(src).filter((f) => f.endsWith('Api.js')).sort()) {
  const text = fs.readFileSync(src + file, 'utf8');
  for (const m of text.matchAll(/^\t(\w+)\([^)]*\) \{ ?\n([\s\S]*?)^\t\}/gm)) {
    const call = /callApi\(\s*'([^']+)',\s*'(\w+)',\s*\{([^}]*)\},\s*\{([\s\S]*?)\},\s*\{[^}]*\},\s*\{[^}]*\},\s*([^,]+),/.exec(m[2]);
    if (!call) continue;
    const key = call[2] + ' ' + shape(call[1]);
    if (operations.has(key)) continue;
    const query = [...call[4].matchAll(/'([^']+)':/g)].map((q) => q[1]);
    const body = call[5].trim();
    operations.set(key, { id: m[1], path: call[1], method: call[2], query, body: body === 'null' ? '' : body.replace(/opts\['(\w+)'\].*/, '$1'), answers: /\['text\/plain'\],/.test(m[2]) ? 'text/plain' : 'application/json' });
  }
}

const schemas = {};
function schema(type) {
  type = type.trim();
  let m;
  if ((m = /^Array<(.*)>$/.exec(type))) return { type: 'array', items: schema(m[1]), nullable: true };
  if ((m = /^\{ \[key: string\]: (.*); \}$/.exec(type))) return { type: 'object', additionalProperties: schema(m[1]), nullable: true };
  if ((m = /^Models\.(\w+)$/.exec(type)) && models.has(m[1])) {
    model(m[1]);
    return { $ref: '#/components/schemas/' + m[1] };
  }
  if (type === 'string' || type === 'number' || type === 'boolean') return { type, nullable: true };
  return {};
}
function model(name) {
  if (schemas[name]) return;
  const s = (schemas[name] = { type: 'object', properties: {} });
  for (const f of models.get(name)) s.properties[f.name] = schema(f.type);
}

// parameter is a query parameter's schema: the type that the operation's options, or its arguments, have.
function parameter(id, sig, name) {
  const option = (models.get(id + 'Options') || []).find((f) => f.name === name);
  const s = schema((option && option.type) || sig.args[name] || 'string');
  delete s.nullable;
  return Object.keys(s).length ? s : { type: 'string' };
}

const paths = {};
const missing = [];
const fields = {};
for (const line of fs.readFileSync(routesFile, 'utf8').split('\n').filter(Boolean)) {
  const [method, route] = line.split(' ');
  const op = operations.get(method + ' ' + shape(route));
  if (!op) {
    missing.push(line);
    continue;
  }
  const sig = signatures.get(op.id) || { args: {}, result: 'any' };
  const answers = { description: 'answer' };
  if (sig.result !== 'void' && Object.keys(schema(sig.result)).length) answers.content = { [op.answers]: { schema: schema(sig.result) } };
  const o = {
    operationId: op.id,
    parameters: [
      ...[...op.path.matchAll(/\{([^}]*)\}/g)].map((p) => ({ name: p[1], in: 'path', required: true, schema: { type: 'string' } })),
      ...op.query.map((q) => ({ name: q, in: 'query', schema: parameter(op.id, sig, q) })),
    ],
    responses: { 200: answers, 201: answers, 202: { description: 'accepted' }, 204: { description: 'no content' }, default: { description: 'error', content: { 'application/json': { schema: schema('Models.ErrorBody') } } } },
  };
  if (op.body) {
    const optional = (models.get(op.id + 'Options') || []).find((f) => f.name === op.body);
    const type = sig.args[op.body] || (optional ? optional.type : 'any');
    o.requestBody = { content: { 'application/json': { schema: schema(type) } } };
    const name = /^Models\.(\w+)$/.exec(type);
    if (name && models.has(name[1])) fields[line] = models.get(name[1]).map((f) => f.name).sort();
  }
  (paths[op.path] ||= {})[method.toLowerCase()] = o;
}
const sorted = (m) => Object.fromEntries(Object.keys(m).sort().map((k) => [k, m[k]]));
const version = JSON.parse(fs.readFileSync(root + '/package.json', 'utf8')).version;
const one = (m) => '{\n' + Object.entries(sorted(m)).map(([k, v]) => JSON.stringify(k) + ': ' + JSON.stringify(v)).join(',\n') + '\n}';
fs.writeFileSync(openapiFile, '{"openapi": "3.0.3", "info": {"title": "What the simulator serves, read from purecloud-platform-client-v2", "version": "' + version + '"},\n"paths": ' + one(paths) + ',\n"components": {"schemas": ' + one(schemas) + '}}\n');
fs.writeFileSync(fieldsFile, one(fields) + '\n');
console.log(`${Object.keys(paths).length} paths, ${Object.keys(schemas).length} models; not in the contract: ${missing.length ? missing.join(', ') : 'nothing'}`);
