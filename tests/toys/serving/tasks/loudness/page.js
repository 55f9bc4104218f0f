"use strict";

const task = {
  headline: () => `It is off by ${about.mean_absolute_error.value}.`,
  begin() {},
  answer({ loudness }) {
    $("loudness").value = loudness;
    return { label: loudness, said: "", doubt: false };
  },
  emptied() { $("loudness").value = 0; },
};
