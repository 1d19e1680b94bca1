"use strict";
// Renders openapi.json: operations with a form to try them, then the types. No library, no network.

const make = (tag, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children.filter((child) => child !== null));
  return element;
};

// `code` in descriptions becomes an element; everything else stays text.
const prose = (text) =>
  make("p", { className: "about" }, ...text.split(/`([^`]+)`/).map((part, i) => (i % 2 ? make("code", {}, part) : part)));

const typeName = (schema) => {
  if (!schema) return "";
  if (schema.$ref) return make("a", { href: `#${schema.$ref.split("/").pop()}` }, schema.$ref.split("/").pop());
  if (schema.anyOf) return make("span", {}, ...schema.anyOf.flatMap((one, i) => (i ? [" or ", typeName(one)] : [typeName(one)])));
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.type === "array") return make("span", {}, "array of ", typeName(schema.items));
  if (schema.additionalProperties?.$ref) return make("span", {}, "object of ", typeName(schema.additionalProperties));
  return schema.contentMediaType ? make("span", {}, "string holding JSON: ", typeName(schema.contentSchema)) : schema.type || "any";
};

const row = (tag, ...cells) => make("tr", {}, ...cells.map((cell) => make(tag, {}, cell)));

const responsesTable = (responses) =>
  make("table", {}, row("th", "Status", "Meaning", "Body"),
    ...Object.entries(responses).map(([status, response]) =>
      row("td", status, response.description, typeName(Object.values(response.content)[0].schema))));

const showReply = async (output, path, options) => {
  output.hidden = false;
  output.textContent = "…";
  const started = performance.now();
  try {
    const reply = await fetch(path, options);
    const text = await reply.text();
    const isJson = (reply.headers.get("content-type") || "").includes("json");
    output.classList.toggle("failed", !reply.ok);
    const head = `${reply.status} ${reply.statusText} · ${(performance.now() - started).toFixed(0)} ms\n\n`;
    output.textContent = head + (isJson ? JSON.stringify(JSON.parse(text), null, 2) : text);
  } catch (error) {
    output.classList.add("failed");
    output.textContent = `No reply: ${error.message}`;
  }
};

const tryForm = (method, path, operation) => {
  const content = operation.requestBody?.content["application/json"];
  const body = content ? make("textarea", { value: JSON.stringify(content.example, null, 2), spellcheck: false, ariaLabel: "Request body" }) : null;
  const key = operation.security ? make("input", { type: "password", placeholder: "bearer key", autocomplete: "off", ariaLabel: "Bearer key" }) : null;
  const output = make("pre", { hidden: true });
  const send = () => {
    const headers = key?.value ? { Authorization: `Bearer ${key.value}` } : {};
    if (body) headers["Content-Type"] = "application/json";
    showReply(output, path.slice(1), { method: method.toUpperCase(), headers, body: body?.value });
  };
  return make("div", {}, make("h3", {}, "Try it"), key, body, make("button", { type: "button", onclick: send }, "Send"), output);
};

const card = (method, path, operation, open) =>
  make("details", { className: "card", open },
    make("summary", {}, make("span", { className: `method ${method}` }, method.toUpperCase()),
      make("span", { className: "path" }, path), make("span", { className: "about" }, operation.summary)),
    make("div", { className: "body" }, operation.description ? prose(operation.description) : null,
      operation.requestBody ? make("p", {}, "Body: ", typeName(operation.requestBody.content["application/json"].schema)) : null,
      tryForm(method, path, operation), make("h3", {}, "Replies"), responsesTable(operation.responses)));

const typeCard = ([name, schema]) =>
  make("details", { className: "card", id: name },
    make("summary", {}, make("span", { className: "path" }, name)),
    make("div", { className: "body" }, schema.description ? prose(schema.description) : null,
      schema.properties
        ? make("table", {}, row("th", "Field", "Type", ""),
            ...Object.entries(schema.properties).map(([field, type]) =>
              row("td", make("code", {}, field), typeName(type), type.description || ((schema.required || []).includes(field) ? "" : "optional"))))
        : make("p", {}, typeName(schema))));

const openTarget = () => {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
};

const render = (document_) => {
  document.title = document_.info.title;
  document.getElementById("title").textContent = `${document_.info.title} ${document_.info.version}`;
  document.getElementById("about").textContent = document_.info.description;
  const main = document.getElementById("operations");
  let group = "";
  for (const [path, methods] of Object.entries(document_.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      if (operation.tags[0] !== group) main.append(make("h2", {}, (group = operation.tags[0])));
      main.append(card(method, path, operation, path === "/validate"));
    }
  }
  document.getElementById("schemas").append(...Object.entries(document_.components.schemas).map(typeCard));
  window.addEventListener("hashchange", openTarget);
  openTarget();
};

fetch("openapi.json").then((reply) => reply.json()).then(render).catch((error) => {
  document.getElementById("about").textContent = `The description could not be loaded: ${error.message}`;
});
