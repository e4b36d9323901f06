// Writes contract.json: the operations on the paths of paths.txt and the models that they need, as the vendor's own
// client of the pinned version knows them. The operations come from calling the client with a transport that only takes
// notes, the models and types from its TypeScript declarations.
//
//   npm ci && node extract.mjs          writes ../contract.json
//   node extract.mjs --check            exits with 1 if it is not what it would write
import { createRequire } from 'node:module'
import { readFileSync, writeFileSync } from 'node:fs'

const require = createRequire(import.meta.url)
const client = require('purecloud-platform-client-v2')
const packageFile = require('./node_modules/purecloud-platform-client-v2/package.json')
const declarations = readFileSync(new URL('./node_modules/purecloud-platform-client-v2/index.d.ts', import.meta.url), 'utf8')
const out = new URL('./contract.json', import.meta.url)

const wanted = new Set(
  readFileSync(new URL('./paths.txt', import.meta.url), 'utf8').split('\n').map((l) => l.trim()).filter((l) => l && !l.startsWith('#')),
)

// signatures: method → {parameter: type}, and what it returns.
function signatures() {
  const found = {}
  for (const m of declarations.matchAll(/^\s+(\w+)\(([^\n]*)\): Promise<([^\n]*)>;$/gm)) {
    const parameters = {}
    for (const p of m[2].matchAll(/(\w+)\??: ((?:[^,<{]|<[^>]*(?:<[^>]*>)?[^>]*>|\{[^}]*\})+)/g)) parameters[p[1]] = typeName(p[2])
    found[m[1]] = { parameters, returns: typeName(m[3]) }
  }
  return found
}

// typeName writes a TypeScript type without what says nothing: Array<Models.Queue> becomes [Queue].
function typeName(t) {
  t = t.trim().replace(/Models\./g, '')
  let m = t.match(/^Array<(.*)>$/)
  if (m) return `[${typeName(m[1])}]`
  m = t.match(/^\{ \[key: string\]: (.*?);? \}$/)
  if (m) return `{${typeName(m[1])}}`
  return t
}

// models: name → {field: type}; a required field's type begins with "!".
function allModels() {
  const found = {}
  const begin = declarations.search(/^declare namespace Models|^declare module Models/m)
  for (const m of declarations.slice(Math.max(begin, 0)).matchAll(/^\texport interface (\w+) \{ \n((?:\t\t[^\n]*\n)*)\t\}/gm)) {
    const fields = {}
    for (const f of m[2].matchAll(/^\t\t"([^"]+)"(\??): ([^\n]*);$/gm)) fields[f[1]] = (f[2] ? '' : '!') + typeName(f[3])
    found[m[1]] = fields
  }
  return found
}

// operations: every method of every API of the client, called with placeholders.
function operations() {
  const known = signatures()
  const found = []
  for (const [name, api] of Object.entries(client)) {
    if (typeof api !== 'function' || !name.endsWith('Api')) continue
    for (const method of Object.getOwnPropertyNames(api.prototype)) {
      if (method === 'constructor') continue
      const sig = known[method]
      if (!sig) continue
      let call
      const instance = new api()
      instance.apiClient = { callApi: (...a) => { call = a; return Promise.resolve() }, buildCollectionParam: (v) => v }
      // Each argument is its own name, so that the call tells which of them is the body.
      const options = new Proxy({}, { get: (_, name) => `<${String(name)}>` })
      const placeholders = Object.keys(sig.parameters).map((p) => (p === 'opts' ? options : `<${p}>`))
      instance[method](...placeholders)
      if (!call || !wanted.has(call[0]) || found.some((o) => o.id === method)) continue
      const [path, verb, , query, , , body] = call
      const op = { id: method, op: `${verb} ${path}` }
      if (Object.keys(query).length) op.query = Object.keys(query)
      if (body) op.body = sig.parameters[body.slice(1, -1)] ?? optional(method, body.slice(1, -1))
      if (sig.returns !== 'void') op.returns = sig.returns
      found.push(op)
    }
  }
  return found.sort((a, b) => (a.op.split(' ')[1] + a.op < b.op.split(' ')[1] + b.op ? -1 : 1))
}

// optional is the type of a parameter that may be left out: it stands among the method's options.
function optional(method, name) {
  const m = declarations.match(new RegExp(`export interface ${method}Options \\{ \\n((?:\\t\\t[^\\n]*\\n)*)`))
  return typeName(m[1].match(new RegExp(`^\\t\\t"${name}"\\?: ([^\\n]*);$`, 'm'))[1])
}

// Models behind which lies nothing of configuration: listed with their fields, not followed.
const leaves = new Set(['User', 'Group', 'Edge', 'Site', 'Organization', 'Script', 'Conversation', 'Operation', 'FlowVersion', 'Detail', 'ErrorBody', 'Site', 'UserRoutingStatus'])

function needed(ops, models) {
  const keep = {}
  const visit = (type, from) => {
    for (const name of type.match(/\w+/g) ?? []) {
      if (!models[name] || keep[name]) continue
      keep[name] = models[name]
      if (leaves.has(name) && from) continue
      for (const t of Object.values(models[name])) visit(t, name)
    }
  }
  for (const o of ops) {
    if (o.body) visit(o.body)
    if (o.returns) visit(o.returns)
  }
  return Object.fromEntries(Object.keys(keep).sort().map((k) => [k, keep[k]]))
}

const ops = operations()
const missing = [...wanted].filter((p) => !ops.some((o) => o.op.endsWith(' ' + p)))
if (missing.length) {
  console.error(`not in the contract: ${missing.join(', ')}`)
  process.exit(1)
}
const models = needed(ops, allModels())
const regions = Object.entries(client.PureCloudRegionHosts).map(([region, host]) => [region.replaceAll('_', '-'), host])

// One operation, model or region a line, so that a new version of the contract is a readable difference.
const lines = (entries, indent) => entries.map((e) => indent + e).join(',\n')
const text = `{
 "source": ${JSON.stringify(`npm purecloud-platform-client-v2@${packageFile.version} (${packageFile.license})`)},
 "operations": [
${lines(ops.map((o) => JSON.stringify(o)), '  ')}
 ],
 "models": {
${lines(Object.entries(models).map(([k, v]) => `${JSON.stringify(k)}: ${JSON.stringify(v)}`), '  ')}
 },
 "regions": {
${lines(regions.sort().map(([k, v]) => `${JSON.stringify(k)}: ${JSON.stringify(v)}`), '  ')}
 }
}
`
if (process.argv.includes('--check')) {
  if (readFileSync(out, 'utf8') !== text) {
    console.error('contract.json is not what the pinned client says; run: npm ci && node extract.mjs')
    process.exit(1)
  }
} else {
  writeFileSync(out, text)
}
console.log(`${ops.length} operations, ${Object.keys(models).length} models, ${regions.length} regions of ${packageFile.version}`)
