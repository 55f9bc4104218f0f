// The part of the page that asks of images: turns a drawing or a picture into what the model takes.
"use strict";

const BOX = 20 / 28; // share of the field that a digit's longer side fills in MNIST; its centre of mass lies in the middle
const PEN = 20; // pixels of the pad, two of MNIST's once the digit fills the box
const STEP = 6; // pixels of the pad an arrow key goes
const INK = 24; // of 255; fainter pixels are background
const MOST = 20e6; // bytes of a picture
const CENTRED = "As MNIST was made: scaled so that the longer side fills 20 of 28 pixels, the centre of mass in the middle.";
const WHOLE = "Scaled so that all of it is in the frame, on black.";
const NEGATIVE = " Of a picture on light ground the negative is taken.";
const pad = $("pad"), context = pad.getContext("2d", { willReadFrequently: true });
let drawn = false, cursor = { x: 140, y: 140, down: false, shown: false }, strokes = [], picture = null;

function begin() {
  $("bars").after(document.querySelector("figure"));
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
    context.moveTo(stroke[0].x, stroke[0].y);
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
    picture = found;
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

// What the model gets: rows of whole numbers for each channel, or null where there is nothing to see.

function input() {
  const { channels, height, width } = about.input;
  if (!picture && !strokes.length) return null;
  if (picture && picture.width === width && picture.height === height) return exact(picture, channels, width, height, "Sent as it is.");
  const { ground, framing } = about.pictures;
  if (ground !== "dark" || channels !== 1) return exact(picture, channels, width, height, "Scaled to this size, without cutting anything off.");
  paint();
  const grey = greys(context.getImageData(0, 0, pad.width, pad.height).data);
  if (picture) invert(grey);
  const turned = picture ? NEGATIVE : "";
  if (framing !== "centred") return exact(repainted(grey), 1, width, height, WHOLE + turned);
  const field = centred(grey, pad.width, pad.height, width, height);
  return field && { planes: [field], done: CENTRED + turned };
}

function repainted(grey) { // the pad's pixels, as they are after they were changed
  const found = new OffscreenCanvas(pad.width, pad.height);
  const pixels = Uint8ClampedArray.from({ length: 4 * grey.length }, (_, i) => i % 4 === 3 ? 255 : grey[i >> 2]);
  found.getContext("2d").putImageData(new ImageData(pixels, pad.width), 0, 0);
  return found;
}

function exact(source, channels, width, height, done) {
  const canvas = new OffscreenCanvas(width, height), small = canvas.getContext("2d");
  small.imageSmoothingQuality = "high";
  small.drawImage(source, 0, 0, width, height);
  const { data } = small.getImageData(0, 0, width, height);
  const planes = channels === 1 ? [greys(data)] : [0, 1, 2].map((channel) => data.filter((_, index) => index % 4 === channel));
  return { planes, done };
}

function greys(data) { // ITU-R 601 luma, transparent as black
  const grey = new Float64Array(data.length / 4);
  for (let i = 0; i < grey.length; i++) {
    grey[i] = (0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]) * data[4 * i + 3] / 255;
  }
  return grey;
}

function invert(grey) { // what is shown is light, as in MNIST; paper and shop windows are light, so their picture is turned around
  const [width, height] = [pad.width, pad.height];
  const scale = Math.min(width / picture.width, height / picture.height);
  const left = Math.ceil((width - picture.width * scale) / 2), top = Math.ceil((height - picture.height * scale) / 2);
  let edge = 0, n = 0;
  const inside = (x, y) => x >= left && x < width - left && y >= top && y < height - top;
  for (let y = top; y < height - top; y++) for (let x = left; x < width - left; x++) {
    if (x === left || y === top || x === width - left - 1 || y === height - top - 1) { edge += grey[y * width + x]; n++; }
  }
  if (edge / n <= 127) return;
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    grey[y * width + x] = inside(x, y) ? Math.max(0, edge / n - grey[y * width + x]) : 0;
  }
}

// MNIST's own normalisation: the digit's box scaled to 20 of 28 pixels, its centre of mass in the middle of the field.
function centred(grey, width, height, fieldWidth, fieldHeight) {
  let mass = 0, middleX = 0, middleY = 0, left = width, right = -1, top = height, bottom = -1, peak = 0;
  const sums = new Float64Array((width + 1) * (height + 1)); // of all pixels above and left, so that any box costs four look-ups
  for (let y = 0; y < height; y++) {
    let row = 0;
    for (let x = 0; x < width; x++) {
      const value = grey[y * width + x] >= INK ? grey[y * width + x] : 0;
      row += value;
      sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + row;
      if (!value) continue;
      mass += value; middleX += value * (x + 0.5); middleY += value * (y + 0.5); peak = Math.max(peak, value);
      left = Math.min(left, x); right = Math.max(right, x); top = Math.min(top, y); bottom = Math.max(bottom, y);
    }
  }
  if (!mass) return null;
  const side = Math.max(right - left, bottom - top) + 1;
  const pixel = side / (BOX * Math.min(fieldWidth, fieldHeight)); // of the field, in pixels of the pad
  const at = (x, y) => {
    x = Math.min(width, Math.max(0, x)); y = Math.min(height, Math.max(0, y));
    const x0 = Math.min(width - 1, Math.floor(x)), y0 = Math.min(height - 1, Math.floor(y)), fx = x - x0, fy = y - y0, i = y0 * (width + 1) + x0;
    return (1 - fy) * ((1 - fx) * sums[i] + fx * sums[i + 1]) + fy * ((1 - fx) * sums[i + width + 1] + fx * sums[i + width + 2]);
  };
  const field = new Float64Array(fieldWidth * fieldHeight);
  for (let y = 0; y < fieldHeight; y++) for (let x = 0; x < fieldWidth; x++) {
    const x0 = middleX / mass + (x - fieldWidth / 2) * pixel, y0 = middleY / mass + (y - fieldHeight / 2) * pixel;
    const [x1, y1] = [x0 + pixel, y0 + pixel];
    field[y * fieldWidth + x] = (at(x1, y1) - at(x0, y1) - at(x1, y0) + at(x0, y0)) / pixel ** 2 * 255 / peak;
  }
  return field;
}

function question() {
  const made = input();
  mark();
  if (!made) return null;
  const { height, width } = about.input;
  const planes = made.planes.map((plane) => Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => Math.min(255, Math.max(0, Math.round(plane[y * width + x]))))));
  return { body: { images: [planes] }, planes, done: made.done };
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
