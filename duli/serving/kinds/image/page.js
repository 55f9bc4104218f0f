// The part of the page that asks of images: sends a drawing or a picture, and shows what the server made of it.
"use strict";

const PEN = 20; // pixels of the pad, two of MNIST's once the digit fills the box
const STEP = 6; // pixels of the pad an arrow key goes
const MOST = 20e6; // bytes of a picture
// What the server reads: formats, bytes, pixels.
const READ = ["image/png", "image/jpeg", "image/webp"], SENT = 2e6, PIXELS = 4e6;
const SIDE = 1024; // pixels that any other picture is brought to
const pad = $("pad"), context = pad.getContext("2d", { willReadFrequently: true });
let drawn = false, cursor = { x: 140, y: 140, down: false, shown: false }, strokes = [];
let picture = null, chosen = null; // as the browser shows it, and the file

function begin() {
  document.querySelector("section:last-of-type").append(document.querySelector("figure"));
  const { height, width, channels } = about.input;
  $("size").textContent = `${width} × ${height} pixels${channels === 1 ? ", grey" : ""}`;
  [$("seen").width, $("seen").height] = [width, height];
  drawn = about.pictures.framing === "centred";
  $("drawing").hidden = !drawn;
  pad.setAttribute("aria-label", drawn ? "Drawing pad" : "Your picture");
  paint();
}

// The pad.

function paint() {
  context.fillStyle = "#000";
  context.fillRect(0, 0, pad.width, pad.height);
  if (picture) {
    const scale = Math.min(pad.width / picture.width, pad.height / picture.height);
    const [width, height] = [picture.width * scale, picture.height * scale];
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, (pad.width - width) / 2, (pad.height - height) / 2, width, height);
  }
  Object.assign(context, { strokeStyle: "#fff", fillStyle: "#fff", lineWidth: PEN, lineCap: "round", lineJoin: "round" });
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(stroke[0].x, stroke[0].y - 0.01); // a line of no length would not be drawn
    for (const point of stroke) context.lineTo(point.x, point.y);
    context.stroke();
  }
}

function mark() { // where the keyboard's pen is; drawn over the picture, never sent
  paint();
  if (!cursor.shown) return;
  context.beginPath();
  context.lineWidth = 2;
  context.strokeStyle = cursor.down ? "#4fc3b2" : "#999";
  context.arc(cursor.x, cursor.y, PEN / 2, 0, 2 * Math.PI);
  context.stroke();
}

function changed() { mark(); ask(); }

function clear() {
  strokes = [];
  picture = null;
  cursor.down = false;
  mark();
  nothing();
}

const place = (event) => {
  const box = pad.getBoundingClientRect();
  return { x: (event.clientX - box.left) * pad.width / box.width, y: (event.clientY - box.top) * pad.height / box.height };
};

pad.addEventListener("pointerdown", (event) => {
  if (!drawn || event.button) return;
  pad.setPointerCapture(event.pointerId);
  cursor.shown = cursor.down = false;
  if (picture) clear();
  strokes.push([place(event)]);
  changed();
});
pad.addEventListener("pointermove", (event) => {
  if (!pad.hasPointerCapture(event.pointerId) || !strokes.length) return;
  for (const one of event.getCoalescedEvents?.() ?? [event]) strokes.at(-1).push(place(one));
  changed();
});
pad.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Delete" || event.key === "Backspace" || event.key === "Escape") clear();
  else if (!drawn) return;
  else if (event.key === " ") {
    if (picture) clear();
    cursor.down = !cursor.down;
    if (cursor.down) strokes.push([{ x: cursor.x, y: cursor.y }]);
  } else if (step) {
    cursor.x = Math.min(pad.width, Math.max(0, cursor.x + step[0]));
    cursor.y = Math.min(pad.height, Math.max(0, cursor.y + step[1]));
    if (cursor.down) strokes.at(-1).push({ x: cursor.x, y: cursor.y });
  } else return;
  event.preventDefault();
  cursor.shown = true;
  changed();
});
pad.addEventListener("blur", () => { cursor.shown = cursor.down = false; mark(); });
$("clear").addEventListener("click", () => { clear(); pad.focus(); });

// Pictures.

async function take(file) {
  if (!file) return;
  if (file.size > MOST) return say(`The picture has more than ${MOST / 1e6} MB; choose a smaller one.`);
  try {
    const found = await createImageBitmap(file);
    clear();
    [picture, chosen] = [found, file];
    changed();
  } catch {
    say("This is no picture that the browser can read; choose a PNG or JPEG.");
  }
}
$("file").addEventListener("change", (event) => { take(event.target.files[0]); event.target.value = ""; });
document.addEventListener("paste", (event) => take([...event.clipboardData.files][0]));
document.addEventListener("dragover", (event) => { event.preventDefault(); pad.classList.add("over"); });
document.addEventListener("dragleave", () => pad.classList.remove("over"));
document.addEventListener("drop", (event) => { event.preventDefault(); pad.classList.remove("over"); take(event.dataTransfer.files[0]); });

// What is sent: the file that was chosen, where the server reads it; else what the browser makes
// of it, or the drawing.

function sent() {
  const pixels = picture ? picture.width * picture.height : 0;
  if (picture && READ.includes(chosen.type) && chosen.size <= SENT && pixels <= PIXELS) return chosen;
  if (!picture) paint(); // without the keyboard's pen
  const image = picture ?? pad;
  const scale = Math.min(1, SIDE / Math.max(image.width, image.height));
  const sized = (side) => Math.max(1, Math.round(side * scale));
  const width = sized(image.width), height = sized(image.height);
  // Not the pad's own toBlob, which a busy browser puts off for seconds.
  const canvas = new OffscreenCanvas(width, height), small = canvas.getContext("2d");
  small.imageSmoothingQuality = "high";
  small.drawImage(image, 0, 0, width, height);
  return canvas.convertToBlob();
}

async function question() {
  if (!picture && !strokes.length) return null;
  const file = sent();
  mark();
  const headers = { "content-type": "application/octet-stream" };
  const response = await fetch("pixels", { method: "POST", headers, body: await file });
  const { images, done, error } = await response.json();
  if (!response.ok) return { problem: `The server answers: ${error}` };
  return { body: { images }, planes: images[0], done };
}

function answered({ planes, done }) {
  const { height, width } = about.input, seen = $("seen").getContext("2d"), image = seen.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (const channel of [0, 1, 2]) image.data[4 * i + channel] = (planes[channel] ?? planes[0])[Math.floor(i / width)][i % width];
    image.data[4 * i + 3] = 255;
  }
  seen.putImageData(image, 0, 0);
  $("done").textContent = done;
}

function emptied() {
  $("seen").getContext("2d").clearRect(0, 0, $("seen").width, $("seen").height);
  $("done").textContent = "";
}

start({ begin, question, answered, emptied });
