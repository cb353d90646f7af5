"use strict";
const states = JSON.parse(document.getElementById("states").textContent);
const $ = (id) => document.getElementById(id);
const all = $("all"), stage = $("stage"), sheets = [...document.querySelectorAll(".sheet")];
const numbers = [...document.querySelectorAll("text.value, text.grad, image.value, image.grad")];
const boxes = [...document.querySelectorAll("rect[data-item]:not(.joint)")];
const size = { width: 0, height: 0 };
const view = { x: 0, y: 0, scale: 1 };
let at = 0;

function show(state) {
  at = Math.max(0, Math.min(states.length - 1, state));
  const { item, way, title, place, lines } = states[at];
  for (const mark of numbers) {
    mark.classList.toggle("later", +mark.dataset.at > at);
    mark.classList.toggle("new", at > 0 && +mark.dataset.at === at);
  }
  for (const box of boxes) box.classList.toggle("lit", item !== "" && box.dataset.item === item);
  $("way").textContent = way;
  $("way").className = way;
  $("title").textContent = title;
  $("place").textContent = place;
  $("lines").textContent = lines.join("\n");
  $("slider").value = at;
  $("count").textContent = `${at + 1} / ${states.length}`;
  $("first").disabled = $("back").disabled = at === 0;
  $("last").disabled = $("next").disabled = at === states.length - 1;
  keepInSight(boxes.find((box) => box.classList.contains("lit") && !box.closest("[hidden]")));
}

function keepInSight(box) {
  if (!box) return;
  const inner = box.getBoundingClientRect(), outer = stage.getBoundingClientRect(), margin = 40;
  if (inner.left < outer.left + margin || inner.right > outer.right - margin)
    view.x += (outer.left + outer.right - inner.left - inner.right) / 2;
  if (inner.top < outer.top + margin || inner.bottom > outer.bottom - margin)
    view.y += (outer.top + outer.bottom - inner.top - inner.bottom) / 2;
  place();
}

function place() {
  all.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);
}

function open(number) {
  sheets.forEach((sheet, index) => sheet.toggleAttribute("hidden", index !== number));
  size.width = +sheets[number].dataset.width;
  size.height = +sheets[number].dataset.height;
  fit();
}

const openOrClose = () => open(sheets.findIndex((sheet) => sheet.hasAttribute("hidden")));

function fit() {
  const room = stage.getBoundingClientRect();
  const across = room.width / size.width, down = room.height / size.height;
  const readable = Math.min(size.height > size.width ? across : down, 1);  // what is long runs on, and can be read
  view.scale = Math.max(Math.min(across, down, 2), readable, 0.6);
  view.x = Math.max((room.width - size.width * view.scale) / 2, 8);
  view.y = Math.max((room.height - size.height * view.scale) / 2, 8);
  place();
}

function zoom(factor, x, y) {
  const room = stage.getBoundingClientRect();
  const to = Math.max(0.05, Math.min(8, view.scale * factor));
  const left = (x ?? room.left + room.width / 2) - room.left, top = (y ?? room.top + room.height / 2) - room.top;
  view.x = left - ((left - view.x) * to) / view.scale;
  view.y = top - ((top - view.y) * to) / view.scale;
  view.scale = to;
  place();
}

let dragged = false;
stage.addEventListener("click", (event) => {
  if (!dragged && event.target.closest(".graph") && sheets.length > 1) openOrClose();
});

const pointers = new Map();
const spread = () => {
  const [a, b] = [...pointers.values()];
  return { x: (a.clientX + b.clientX) / 2, y: (a.clientY + b.clientY) / 2,
    far: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) };
};
stage.addEventListener("pointerdown", (event) => {
  pointers.set(event.pointerId, event);
  dragged = false;
});
stage.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  dragged ||= Math.hypot(event.clientX - before.clientX, event.clientY - before.clientY) > 3;
  const pinch = pointers.size === 2 ? spread() : null;
  pointers.set(event.pointerId, event);
  if (pinch) {
    const now = spread();
    zoom(now.far / pinch.far, now.x, now.y);
  } else {
    view.x += event.clientX - before.clientX;
    view.y += event.clientY - before.clientY;
    place();
  }
});
for (const name of ["pointerup", "pointercancel", "pointerleave"])
  stage.addEventListener(name, (event) => pointers.delete(event.pointerId));
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
}, { passive: false });

function turn(dark) {
  document.documentElement.classList.toggle("dark", dark);
}

const keys = {
  ArrowRight: () => show(at + 1), ArrowDown: () => show(at + 1), " ": () => show(at + 1), PageDown: () => show(at + 1),
  ArrowLeft: () => show(at - 1), ArrowUp: () => show(at - 1), PageUp: () => show(at - 1),
  Home: () => show(0), End: () => show(states.length - 1),
  "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: fit, d: () => $("mode").click(), o: () => $("boxes").click(),
};
document.addEventListener("keydown", (event) => {
  const act = keys[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " " && event.target.tagName === "BUTTON") return;
  if (event.target.id === "slider" && event.key.startsWith("Arrow")) return;
  event.preventDefault();
  act();
});
$("next").onclick = () => show(at + 1);
$("back").onclick = () => show(at - 1);
$("first").onclick = () => show(0);
$("last").onclick = () => show(states.length - 1);
$("larger").onclick = () => zoom(1.25);
$("smaller").onclick = () => zoom(0.8);
$("fit").onclick = fit;
$("mode").onclick = () => turn(!document.documentElement.classList.contains("dark"));
$("boxes").hidden = sheets.length < 2;
$("boxes").onclick = () => sheets.length > 1 && openOrClose();
$("slider").max = states.length - 1;
$("slider").oninput = () => show(+$("slider").value);
window.addEventListener("resize", () => { fit(); show(at); });
turn(matchMedia("(prefers-color-scheme: dark)").matches);
open(0);
show(0);
