// The part of the page that asks of texts: whatever stands in the field is asked.
"use strict";

const text = $("text");

function begin() {
  $("reads").textContent = `Of a longer text the model reads the first ${about.input.length} tokens.`;
  if (!about.example) return;
  $("example").hidden = false;
  text.placeholder = about.example;
  $("example").addEventListener("click", () => put(about.example));
}

function put(value) {
  text.value = value;
  text.focus();
  ask();
}

const question = () => text.value.trim() ? { body: { text: text.value } } : null;

text.addEventListener("input", ask);
$("clear").addEventListener("click", () => put(""));

start({ begin, question, answered() {}, emptied() {} });
