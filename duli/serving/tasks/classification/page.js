// The part of the page that shows an answer: its class, how sure it is, and a bar for each class.
"use strict";

const task = {
  headline() {
    const percent = (share) => `${(100 * share).toFixed(2)} %`;
    const { value, low, high, n } = about.accuracy;
    return `On ${n.toLocaleString("en")} test ${about.things} it has never seen it answers ${percent(value)} right ` +
      `(95 % interval ${percent(low)} to ${percent(high)}).`;
  },

  begin() {
    for (const name of about.classes) {
      const row = $("bars").appendChild(document.createElement("li"));
      for (const part of ["name", "track", "share"]) row.appendChild(document.createElement("span")).className = part;
      row.children[0].textContent = name;
      row.children[1].appendChild(document.createElement("span")).className = "fill";
    }
  },

  answer({ label, probability, abstains, probabilities }) {
    about.classes.forEach((name, index) => {
      const row = $("bars").children[index], share = probabilities[name];
      row.className = name === label ? "best" : "";
      row.children[1].firstChild.style.width = `${100 * share}%`;
      row.children[2].textContent = `${(100 * share).toFixed(1)} %`;
    });
    const sure = `${(100 * probability).toFixed(1)} % sure`;
    const doubt = `${sure}: below ${100 * about.threshold} %, the model would rather abstain.`;
    return { label, said: abstains ? doubt : `${sure}.`, doubt: abstains };
  },

  emptied() {
    for (const row of $("bars").children) {
      row.className = "";
      row.children[1].firstChild.style.width = "0";
      row.children[2].textContent = "";
    }
  },
};
