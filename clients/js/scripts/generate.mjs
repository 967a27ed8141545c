// Writes src/wire/messages.ts from the server's schema: `node scripts/generate.mjs [OUTFILE]`.
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const SCHEMA = join(here, "..", "..", "..", "docs", "reference", "websocket.schema.json");
const out = resolve(process.argv[2] ?? join(here, "..", "src", "wire", "messages.ts"));

const { title, $defs: definitions } = JSON.parse(await readFile(SCHEMA, "utf8"));

/** Names that mean something else in a program. */
const RENAMED = { Error: "ServerError" };
const named = (name) => RENAMED[name] ?? name;
const reference = (path) => named(path.replace("#/$defs/", ""));

function type(schema) {
  if (schema.$ref) return reference(schema.$ref);
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.anyOf ?? schema.oneOf) return [...new Set((schema.anyOf ?? schema.oneOf).map(type))].join(" | ");
  switch (schema.type) {
    case "string":
      return "string";
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "null":
      return "null";
    case "array":
      return list(schema);
    case "object":
      return object(schema);
    case undefined:
      return "unknown";
  }
  throw new Error(`the generator does not know ${JSON.stringify(schema)}`);
}

function list(schema) {
  if (schema.prefixItems) return `readonly [${schema.prefixItems.map(type).join(", ")}]`;
  const item = type(schema.items ?? {});
  return /^[\w"]+$/.test(item) ? `readonly ${item}[]` : `readonly (${item})[]`;
}

function object(schema) {
  if (schema.properties) throw new Error("an object inside a message needs a name of its own");
  const values = schema.additionalProperties;
  return `Readonly<Record<string, ${values && values !== true ? type(values) : "unknown"}>>`;
}

function comment(text, indent = "") {
  return text ? `${indent}/** ${text.replaceAll("\n", " ").replaceAll("*/", "* /")} */\n` : "";
}

function definition(name, schema) {
  if (!schema.properties) return `${comment(schema.description)}export type ${name} =\n${union(schema)};\n`;
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties).map(
    ([key, field]) =>
      `${comment(field.description, "  ")}  readonly ${key}${required.has(key) ? "" : "?"}: ${type(field)};\n`,
  );
  return `${comment(schema.description)}export interface ${name} {\n${fields.join("")}}\n`;
}

function union(schema) {
  return (schema.oneOf ?? schema.anyOf).map((choice) => `  | ${type(choice)}`).join("\n");
}

const text = [
  `/** The JSON messages of the wire. Generated from docs/reference/websocket.schema.json by \`npm run generate\`: do not edit.\n *\n * ${title}\n */\n`,
  ...Object.entries(definitions).map(([name, schema]) => definition(named(name), schema)),
].join("\n");
await writeFile(out, text);
