// Looks whether something has changed, and counts the time down. The page says all of it without this, too. Only a card takes a
// script: what the provider made of it comes from its frame.
const body = document.body;
const LOOK_MS = 2000;

const address = new URL(location.href);
address.pathname += "/state";

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(address, { cache: "no-store", redirect: "error" });
    if (answer.ok && (await answer.text()) !== body.dataset.mark) location.replace(location.href);
  } catch {
    // Nobody answered: the next look may find somebody.
  }
}

const pad = (number) => String(number).padStart(2, "0");

function count() {
  for (const until of document.querySelectorAll("time[data-until]")) {
    const left = Math.max(0, Math.floor((Number(until.dataset.until) - Date.now()) / 1000));
    const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
    const shown = until.closest(".until").querySelector(".left");
    if (shown) shown.textContent = `${hours > 0 ? `${hours}:` : ""}${pad(minutes)}:${pad(seconds)}`;
  }
}

function takeCard(section) {
  const form = section.querySelector("form");
  const provider = new URL(section.dataset.card);
  provider.searchParams.set("for", location.origin);
  const frame = document.createElement("iframe");
  frame.title = section.dataset.title;
  frame.referrerPolicy = "no-referrer";
  frame.sandbox = "allow-scripts allow-forms allow-same-origin";
  frame.src = provider;
  addEventListener("message", (message) => {
    const isTheirs = message.origin === provider.origin && message.source === frame.contentWindow;
    if (!isTheirs || typeof message.data?.token !== "string" || form.elements.card.value) return;
    form.elements.card.value = message.data.token;
    form.submit();
  });
  form.before(frame);
}

document.querySelectorAll("[data-card]").forEach(takeCard);
setInterval(look, LOOK_MS);
setInterval(count, 1000);
document.addEventListener("visibilitychange", look);
count();
