// The page of a release: shows what it is, asks this server, and shows the answer. Two files follow: show.js, which says what an answer
// is, and ask.js, which makes the questions.
"use strict";

const $ = (id) => document.getElementById(id);
let about, kind, asked = 0, waiting = false, again = false;

// `part` is what a kind of data adds: begin(); question(), which gives, or promises, what is asked (its `body` goes to the server, or its
// `problem` is said) or null where there is nothing to ask; answered(question); emptied(). show.js has the constant `task` with headline(),
// begin(), answer(prediction), which gives what is shown large (`label`), what is `said` of it and whether it is in `doubt`, and emptied().
async function start(part) {
  kind = part;
  about = await (await fetch("about")).json();
  document.title = $("title").textContent = about.title;
  $("version").textContent = `${about.name} ${about.version}, ${about.publisher}, ${about.licence}`;
  $("headline").textContent = task.headline();
  $("integrity").textContent = `Verified when the server started: ${about.integrity}.`;
  task.begin();
  kind.begin();
  nothing();
  document.body.dataset.ready = "true";
}

// Asking, one question at a time: what changes meanwhile is asked next.

async function ask() {
  if (waiting) { again = true; return; }
  waiting = true;
  $("answer").ariaBusy = "true";
  const number = ++asked;
  try {
    const question = await kind.question();
    if (number !== asked) return;
    if (!question) return nothing();
    if (question.problem) { nothing(); return say(question.problem); }
    const response = await fetch("predict", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(question.body),
    });
    const answer = await response.json();
    if (number === asked) response.ok ? show(answer.predictions[0], question) : say(`The server answers: ${answer.error}`);
  } catch {
    say("The server does not answer; is it still running?");
  } finally {
    waiting = false;
    $("answer").ariaBusy = "false";
    if (again) { again = false; ask(); }
  }
}

function show(prediction, question) {
  const { label, said, doubt } = task.answer(prediction);
  $("answer").className = doubt ? "doubt" : "";
  $("label").textContent = label;
  $("sure").textContent = said;
  kind.answered(question);
}

function say(text) {
  asked++;
  $("answer").className = "doubt";
  $("label").textContent = "–";
  $("sure").textContent = text;
}

function nothing() {
  asked++;
  $("answer").className = "";
  $("label").textContent = "–";
  $("sure").textContent = "Nothing asked yet.";
  task.emptied();
  kind.emptied();
}
