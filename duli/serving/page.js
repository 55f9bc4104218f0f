// The page of a release: shows what it is, asks this server, and shows the answer; ask.js, which follows, makes the questions.
"use strict";

const $ = (id) => document.getElementById(id);
let about, kind, asked = 0, waiting = false, again = false;

// `part` is what a kind of data adds: begin(); question(), which gives, or promises, what is asked (its `body` goes to the server, or its
// `problem` is said) or null where there is nothing to ask; answered(question); emptied().
async function start(part) {
  kind = part;
  about = await (await fetch("about")).json();
  document.title = $("title").textContent = about.title;
  $("version").textContent = `${about.name} ${about.version}, ${about.publisher}, ${about.licence}`;
  const percent = (share) => `${(100 * share).toFixed(2)} %`;
  const { value, low, high, n } = about.accuracy;
  $("headline").textContent = `On ${n.toLocaleString("en")} test ${about.things} it has never seen it answers ${percent(value)} right ` +
    `(95 % interval ${percent(low)} to ${percent(high)}).`;
  $("integrity").textContent = `Verified when the server started: ${about.integrity}.`;
  for (const name of about.classes) {
    const row = $("bars").appendChild(document.createElement("li"));
    for (const part of ["name", "track", "share"]) row.appendChild(document.createElement("span")).className = part;
    row.children[0].textContent = name;
    row.children[1].appendChild(document.createElement("span")).className = "fill";
  }
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
  $("answer").className = prediction.abstains ? "doubt" : "";
  $("label").textContent = prediction.label;
  $("sure").textContent = prediction.abstains
    ? `${(100 * prediction.probability).toFixed(1)} % sure: below ${100 * about.threshold} %, the model would rather abstain.`
    : `${(100 * prediction.probability).toFixed(1)} % sure.`;
  about.classes.forEach((name, index) => {
    const row = $("bars").children[index], share = prediction.probabilities[name];
    row.className = name === prediction.label ? "best" : "";
    row.children[1].firstChild.style.width = `${100 * share}%`;
    row.children[2].textContent = `${(100 * share).toFixed(1)} %`;
  });
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
  for (const row of $("bars").children) {
    row.className = "";
    row.children[1].firstChild.style.width = "0";
    row.children[2].textContent = "";
  }
  kind.emptied();
}
