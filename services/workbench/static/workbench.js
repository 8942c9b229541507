// Beyond htmx: times that go on by themselves, and keys. Every page works without it.
"use strict";

const MINUTE = 60, HOUR = 3600, DAY = 86400;
const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });

function left(seconds) {
  const size = Math.abs(seconds);
  if (size < HOUR) return relative.format(Math.round(seconds / MINUTE), "minute");
  if (size < 2 * DAY) return relative.format(Math.round(seconds / HOUR), "hour");
  return relative.format(Math.round(seconds / DAY), "day");
}

function tell() {
  for (const each of document.querySelectorAll("[data-left]")) {
    const at = Date.parse(each.dataset.left);
    if (!Number.isNaN(at)) each.textContent = left((at - Date.now()) / 1000);
  }
}

// In a list the arrows go from row to row; no letter is taken from anybody.
function onKey(event) {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const rows = [...document.querySelectorAll(".rows > li > a")];
  const here = rows.indexOf(document.activeElement);
  if (here < 0) return;
  const next = rows[here + (event.key === "ArrowDown" ? 1 : -1)];
  if (next) {
    next.focus();
    event.preventDefault();
  }
}

document.addEventListener("keydown", onKey);
document.addEventListener("DOMContentLoaded", tell);
setInterval(tell, 30_000);
