"use strict";

const question = () => ({ body: { waves: [$("samples").value.split(" ").map(Number)] } });

start({ begin() {}, question, answered() {}, emptied() {} });
