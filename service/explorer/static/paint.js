// Drawing on a picture. A stroke is the pixels that were touched; each asks for a painting, and the page of that painting
// has the picture and the figures, which take the place of the parts marked `data-live`.
const easel = document.querySelector("[data-paintings]");
const tools = document.getElementById("tools");
const canvas = easel.querySelector("canvas");
const context = canvas.getContext("2d");
const [height, width] = easel.dataset.size.split(",").map(Number);
const [rows, columns] = easel.dataset.cells.split(",").map((cells) => Math.min(Number(cells), 32));
const { latent, layer, strokes: given } = JSON.parse(easel.dataset.document);
const COLORS = { draw: [47, 111, 181, 150], erase: [179, 38, 30, 150] };
const TRIES = 4;
let strokes = given;
let touched = new Uint8Array(height * width);
let last = null;
let asking = Promise.resolve();

const field = (name) => tools.elements[name].value;
const say = (text) => (document.getElementById("status").textContent = text);
const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

// a painting

function ask(next) {
  asking = asking.then(() => paint(next(strokes))).catch((error) => say(`The service does not answer: ${error.message}`));
  return asking;
}

async function paint(wanted) {
  easel.setAttribute("aria-busy", "true");
  const [reply, told] = await send(JSON.stringify({ latent, layer, strokes: wanted }));
  if (reply.ok) {
    strokes = told.document.strokes;
    await show(told);
  } else say(told.detail);
  easel.removeAttribute("aria-busy");
  draw();
}

async function send(body) {
  const headers = { "Content-Type": "application/json" };
  for (let tried = 1; ; tried++) {
    const reply = await fetch(easel.dataset.paintings, { method: "POST", headers, body });
    const told = await reply.json();
    if (reply.status !== 503 || tried === TRIES) return [reply, told];
    say(told.detail); // a worker that loads the network has it warm the next time
    await wait(Number(reply.headers.get("Retry-After")) || 1);
  }
}

async function show(painting) {
  const picture = easel.querySelector("#picture img");
  if (picture) picture.src = painting.links.edited;
  const address = `${easel.dataset.page}?painting=${painting.id}`;
  const page = new DOMParser().parseFromString(await (await fetch(address)).text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) part.replaceWith(page.getElementById(part.id));
  say(page.getElementById("status").textContent);
  history.replaceState(null, "", address);
}

// a stroke

function begin() {
  touched = new Uint8Array(height * width);
  last = null;
}

function lay() {
  const mask = { size: [height, width], runs: runs(touched) };
  begin();
  if (mask.runs.length === 1) return draw();
  const stroke = { ...subject(), action: field("action"), strength: Number(field("strength")), mask };
  ask((strokes) => [...strokes, stroke]);
}

function subject() {
  const units = field("units").split(/[ ,]+/).filter(Boolean).map(Number);
  if (units.length) return { units };
  return field("concept") ? { concept: JSON.parse(field("concept")), top: Number(field("top")) } : { units: [] };
}

function runs(pixels) {
  const found = [0];
  pixels.forEach((pixel, i) => (pixel === (i ? pixels[i - 1] : 0) ? found[found.length - 1]++ : found.push(1)));
  return found;
}

function touch(x, y) {
  const radius = Number(field("brush"));
  for (let row = Math.max(0, y - radius); row <= Math.min(height - 1, y + radius); row++)
    for (let column = Math.max(0, x - radius); column <= Math.min(width - 1, x + radius); column++)
      if ((row - y) ** 2 + (column - x) ** 2 <= radius ** 2) touched[row * width + column] = 1;
}

function line(x, y) {
  const [fromX, fromY] = last ?? [x, y];
  const steps = Math.max(Math.abs(x - fromX), Math.abs(y - fromY), 1);
  for (let i = 0; i <= steps; i++) touch(Math.round(fromX + ((x - fromX) * i) / steps), Math.round(fromY + ((y - fromY) * i) / steps));
  last = [x, y];
}

function draw() {
  const shown = context.createImageData(width, height);
  const color = COLORS[field("action")];
  touched.forEach((pixel, i) => pixel && shown.data.set(color, 4 * i));
  context.putImageData(shown, 0, 0);
}

// by pointer

function move(event) {
  const box = canvas.getBoundingClientRect();
  line(Math.floor(((event.clientX - box.left) / box.width) * width), Math.floor(((event.clientY - box.top) / box.height) * height));
  draw();
}

canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  canvas.setPointerCapture(event.pointerId);
  begin();
  move(event);
});
canvas.addEventListener("pointermove", (event) => canvas.hasPointerCapture(event.pointerId) && move(event));
canvas.addEventListener("pointerup", lay);
canvas.addEventListener("pointercancel", () => (begin(), draw()));

// by keyboard, over the cells of the layer's map, as many as 32 a side

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const cells = [];
let pen = false;

function makeGrid() {
  const grid = element("div", { role: "grid", "aria-label": `Cells of ${layer}`, "aria-describedby": "keys" });
  for (let row = 0; row < rows; row++) {
    const line = grid.appendChild(element("div", { role: "row" }));
    for (let column = 0; column < columns; column++) {
      const name = `row ${row + 1}, column ${column + 1}`;
      const cell = element("div", { role: "gridcell", tabindex: row || column ? -1 : 0, "aria-label": name });
      cell.place = [row, column];
      cells.push(line.appendChild(cell));
    }
  }
  grid.addEventListener("keydown", press);
  grid.addEventListener("keyup", release);
  canvas.after(grid);
}

function element(name, attributes) {
  const made = document.createElement(name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
}

function press(event) {
  const [row, column] = event.target.place;
  if (event.key in MOVES) {
    const [down, right] = MOVES[event.key];
    go(event.target, Math.min(Math.max(row + down, 0), rows - 1), Math.min(Math.max(column + right, 0), columns - 1));
  } else if (event.key === " ") {
    if (!pen) begin();
    pen = true;
  } else return;
  event.preventDefault();
  if (pen) touchCell(...document.activeElement.place);
}

function go(from, row, column) {
  from.tabIndex = -1;
  const to = cells[row * columns + column];
  to.tabIndex = 0;
  to.focus();
}

function touchCell(row, column) {
  const [top, bottom] = [row, row + 1].map((at) => Math.floor((at * height) / rows));
  const [left, right] = [column, column + 1].map((at) => Math.floor((at * width) / columns));
  for (let y = top; y < bottom; y++) touched.fill(1, y * width + left, y * width + right);
  draw();
}

function release(event) {
  if (event.key !== " " || !pen) return;
  pen = false;
  lay();
}

// the page

canvas.width = width;
canvas.height = height;
tools.hidden = false;
document.getElementById("scriptless").hidden = true;
tools.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("undo").addEventListener("click", () => ask((strokes) => strokes.slice(0, -1)));
document.getElementById("clear").addEventListener("click", () => ask(() => []));
makeGrid();
if (!("painted" in easel.dataset)) ask((strokes) => strokes);
