// Looks whether something has changed, and counts the time down. The page says all of it without this, too.
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

setInterval(look, LOOK_MS);
setInterval(count, 1000);
document.addEventListener("visibilitychange", look);
count();
