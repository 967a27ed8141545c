/** Draws openapi.json: every operation, its parameters and bodies, and a button to try those that only read. */

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function row(...cells) {
  const made = element("tr");
  for (const cell of cells) made.append(cell instanceof Node ? cell : element("td", cell));
  return made;
}

/** A schema in words: `string`, `list of Voice`, `one of …`. */
function kind(schema) {
  if (!schema) return "anything";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices) return choices.map(kind).join(" or ");
  if (schema.prefixItems) return `list of ${schema.prefixItems.map(kind).join(", ")}`;
  if (schema.type === "array") return `list of ${kind(schema.items)}`;
  if (schema.additionalProperties && schema.additionalProperties !== true) return `map of ${kind(schema.additionalProperties)}`;
  return schema.type ?? "anything";
}

function fields(schema) {
  const table = element("table");
  table.append(row(element("th", "field"), element("th", "type"), element("th", "meaning")));
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const cell = element("td");
    cell.append(element("code", name));
    const optional = schema.required?.includes(name) ? "" : " (optional)";
    table.append(row(cell, kind(field) + optional, field.description ?? ""));
  }
  return table;
}

function bodies(title, content) {
  const made = element("div");
  for (const [type, body] of Object.entries(content ?? {})) made.append(element("p", `${title} ${type}: ${kind(body.schema)}`, "note"));
  return made;
}

function trial(path) {
  const made = element("div");
  const button = element("button", "Try it");
  const result = element("pre");
  result.hidden = true;
  button.onclick = async () => {
    result.hidden = false;
    result.textContent = "…";
    try {
      const response = await fetch(path.slice(1));
      const text = await response.text();
      let shown = text;
      try {
        shown = JSON.stringify(JSON.parse(text), null, 2);
      } catch {
        // not JSON: shown as it came
      }
      result.textContent = `${response.status} ${response.statusText}\n${shown}`;
    } catch (error) {
      result.textContent = `No answer: ${error.message}`;
    }
  };
  made.append(button, result);
  return made;
}

function operation(path, method, described) {
  const made = element("details");
  const summary = element("summary");
  summary.append(element("span", method, "method"), element("code", path), element("span", `  ${described.summary ?? ""}`, "about"));
  made.append(summary, element("p", described.description ?? ""));
  if (described.parameters?.length) {
    const table = element("table");
    for (const one of described.parameters) table.append(row(one.name, `${one.in}, ${kind(one.schema)}`, one.description ?? ""));
    made.append(table);
  }
  made.append(bodies("takes", described.requestBody?.content));
  for (const [status, answer] of Object.entries(described.responses ?? {})) {
    made.append(bodies(`${status} ${answer.description}:`, answer.content));
  }
  if (method === "get" && !path.includes("{")) made.append(trial(path));
  return made;
}

function draw(api) {
  const main = document.getElementById("api");
  main.querySelector("h1").textContent = `${api.info.title} API`;
  document.getElementById("state").textContent = `Version ${api.info.version}. ${api.info.description ?? ""}`;
  main.append(element("h2", "Operations"));
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS) if (item[method]) main.append(operation(path, method, item[method]));
  }
  main.append(element("h2", "Bodies"));
  for (const [name, schema] of Object.entries(api.components?.schemas ?? {})) {
    const made = element("details");
    made.id = name;
    made.append(element("summary", name), element("p", schema.description ?? ""), fields(schema));
    main.append(made);
  }
}

try {
  const response = await fetch("openapi.json");
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  draw(await response.json());
} catch (error) {
  document.getElementById("state").textContent = `openapi.json cannot be read: ${error.message}`;
}
