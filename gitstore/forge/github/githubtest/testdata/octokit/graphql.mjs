// Prints what GitHub's GraphQL schema finds wrong with requests, a line each:
//
//	node graphql.mjs '["{\"query\": …, \"variables\": …}"]'
import { schema } from "@octokit/graphql-schema";
import { buildSchema, parse, validate } from "graphql/index.js";
import { getVariableValues as values } from "graphql/execution/values.js";

const github = buildSchema(schema.idl, { assumeValid: true });
for (const body of JSON.parse(process.argv[2])) {
  const { query, variables } = JSON.parse(body);
  const document = parse(query);
  for (const error of validate(github, document)) console.log(error.message);
  for (const d of document.definitions) {
    for (const error of values(github, d.variableDefinitions ?? [], variables ?? {}).errors ?? []) console.log(error.message);
  }
}
