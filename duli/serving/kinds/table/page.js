// The part of the page that asks of rows: a field for each feature; what is empty is missing.
"use strict";

let fields = [];

function begin() {
  fields = about.features.map((name, index) => {
    const row = $("fields").appendChild(document.createElement("p"));
    const label = row.appendChild(document.createElement("label")), field = row.appendChild(document.createElement("input"));
    label.textContent = name;
    label.htmlFor = field.id = `feature-${index}`;
    Object.assign(field, { type: "text", inputMode: "decimal", autocomplete: "off", placeholder: "missing" });
    field.addEventListener("input", ask);
    return field;
  });
}

function question() {
  const values = fields.map(({ value }) => value.trim() === "" ? null : Number(value.trim().replace(",", ".")));
  const wrong = values.map((value) => value !== null && !Number.isFinite(value));
  fields.forEach((field, index) => field.setAttribute("aria-invalid", wrong[index]));
  if (wrong.includes(true)) return { problem: `${about.features[wrong.indexOf(true)]} is no number.` };
  return values.every((value) => value === null) ? null : { body: { rows: [values] } };
}

$("clear").addEventListener("click", () => {
  for (const field of fields) field.value = "";
  fields[0]?.focus();
  ask();
});

start({ begin, question, answered() {}, emptied() {} });
