// Keeps a page true: the server sends what changed on it, and this puts it there. Nothing is decided here, and without
// it every page and every verb works; only nothing moves by itself.
"use strict";

const FRESH_MS = 1200;

function put(id, html) {
  const element = document.getElementById(id);
  if (!element) return false;
  // What is focused inside keeps its focus, if it is still there.
  const active = document.activeElement;
  const focused = active && element.contains(active) ? active.id : "";
  element.innerHTML = html;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  const row = element.closest("tr");
  if (row) {
    row.classList.add("fresh");
    setTimeout(() => row.classList.remove("fresh"), FRESH_MS);
  }
  return true;
}

function listHasMoved() {
  const notice = document.getElementById("moved");
  if (notice) notice.hidden = false;
}

function follow(address) {
  const mark = document.getElementById("live");
  const say = (text, state) => {
    if (!mark || mark.dataset.state === state) return;
    mark.textContent = text;
    mark.dataset.state = state;
  };
  const source = new EventSource(address);
  source.addEventListener("open", () => say(mark?.dataset.live, "live"));
  source.addEventListener("error", () => say(mark?.dataset.lost, "lost"));
  source.addEventListener("put", (event) => {
    const known = JSON.parse(event.data).map(([id, html]) => put(id, html));
    if (known.includes(false)) listHasMoved();
  });
  source.addEventListener("moved", listHasMoved);
  // A page that is kept for the way back must not keep its connection.
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

if (document.body.dataset.live) follow(document.body.dataset.live);
