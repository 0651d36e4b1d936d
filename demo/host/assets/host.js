// Puts what changed where it belongs, so that a purchase loads no page again. Nothing is decided here: without it every
// link and every form works, one page after the other.
"use strict";

const WAIT_MS = 150;
let busy = false;
// Somebody went back or on while something was under way: where they are now is shown after it.
let strayed = false;
let opener = "";

const by = (id) => document.getElementById(id);

function say(text) {
  const wait = by("wait");
  if (wait && wait.textContent !== text) wait.textContent = text;
}

// Puts each part over the one of its id. What had the focus keeps it, if it is still there; else the sheet gets it.
function put(html, moved) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const focused = document.activeElement?.id;
  const had = !by("sheet").hidden;
  document.title = fresh.title || document.title;
  for (const part of [...fresh.body.children]) by(part.id)?.replaceWith(part);
  const sheet = by("sheet");
  const open = !sheet.hidden;
  if (open && !had) sheet.classList.add("enter");
  by("feed").inert = open;
  const again = focused && !moved && by(focused);
  if (again) again.focus({ preventScroll: true });
  else if (open) sheet.focus({ preventScroll: true });
  else (by(opener) || by("feed").querySelector("a"))?.focus({ preventScroll: true });
  if (sheet.dataset.shop) follow(sheet.dataset.shop);
}

async function go(url, options, leave) {
  if (busy) return;
  busy = true;
  document.body.setAttribute("aria-busy", "true");
  const slow = setTimeout(() => say(document.body.dataset.wait), WAIT_MS);
  try {
    const answer = await fetch(url, { ...options, headers: { ...options?.headers, "kelir-swap": "1" } });
    const html = await answer.text();
    // A page that nobody has is a page too; what is none was not said by Kelir.
    if (!answer.ok && !html.includes('id="sheet"')) throw new Error(`${answer.status}`);
    if (!strayed) {
      const here = new URL(answer.url);
      const moved = here.pathname !== location.pathname;
      if (moved) history[leave ? "pushState" : "replaceState"](null, "", here.pathname);
      put(html, moved);
    }
    say("");
  } catch {
    say(document.body.dataset.offline);
  } finally {
    clearTimeout(slow);
    busy = false;
    document.body.removeAttribute("aria-busy");
  }
  if (strayed) {
    strayed = false;
    await go(location.href, {}, false);
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-swap]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (link.closest("#feed")) opener = link.id;
  go(link.href, {}, true);
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[data-quiet]")) {
    event.preventDefault();
    if (event.submitter?.ariaDisabled === "true") return;
    fetch(form.action, { method: "post", headers: { "kelir-swap": "1" } }).catch(() => say(document.body.dataset.offline));
  } else if (form.matches("[data-swap]")) {
    event.preventDefault();
    const body = new URLSearchParams(new FormData(form, event.submitter));
    go(form.action, { method: "post", body }, true);
  }
});

addEventListener("popstate", () => {
  if (busy) strayed = true;
  else go(location.href, {}, false);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !by("sheet").hidden) by("close")?.click();
});

// Behind the screen: of the shop that is looked at.
let source = null;
let followed = "";

function follow(shop) {
  if (!shop || shop === followed) return;
  followed = shop;
  source?.close();
  source = new EventSource(`/live?shop=${encodeURIComponent(shop)}`);
  source.addEventListener("open", () => (by("stage").dataset.live = shop));
  source.addEventListener("put", (event) => {
    for (const [id, html] of JSON.parse(event.data)) {
      const part = by(id);
      if (!part) continue;
      const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
      part.innerHTML = html;
      if (focused) by(focused)?.focus({ preventScroll: true });
    }
  });
  // What is paid in the frame is told by the shop to Kelir, never by one page to the other.
  source.addEventListener("look", () => {
    if (location.pathname === `/shops/${shop}/checkout`) go(location.href, {}, false);
  });
}

const seen = new IntersectionObserver(
  (entries) => {
    const clip = entries.find((entry) => entry.isIntersecting)?.target;
    if (clip && by("sheet").hidden) follow(clip.dataset.shop);
  },
  { root: by("feed"), threshold: 0.6 },
);
for (const clip of document.querySelectorAll(".clip")) seen.observe(clip);
// A sheet that is about no shop covers the clips; then it is the one that the panel was made with.
if (!by("sheet").hidden) follow(by("sheet").dataset.shop || by("stage").dataset.shop);

addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => event.persisted && location.reload());
