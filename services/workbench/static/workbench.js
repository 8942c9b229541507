// Times that go on by themselves, and keys. Every page can be read without it.
"use strict";

(() => {
  const MINUTE = 60;
  const HOUR = 3600;
  const DAY = 86400;
  const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
  let clock = null;

  // What the server said, read anew whenever the page took over something new. Seconds of the epoch.
  function read() {
    const { now, clock: kind, hours, working } = document.getElementById("main").dataset;
    if (clock?.said === now) return;
    const open = (hours ?? "").split(" ").filter(Boolean).map((each) => each.split("-").map(Number));
    clock = { said: now, at: Date.parse(now) / 1000, since: performance.now(), runs: kind === "live", open, working };
  }

  // On the replay clock time stands still until the system says that it has moved.
  const present = () => clock.at + (clock.runs ? (performance.now() - clock.since) / 1000 : 0);

  function worked(now, due) {
    const { open } = clock;
    if (!open.length || due <= now || due > open[open.length - 1][1]) return null;
    return open.reduce((sum, [start, end]) => sum + Math.max(0, Math.min(end, due) - Math.max(start, now)), 0);
  }

  function clocked(length) {
    const seconds = Math.floor(length);
    const two = (number) => String(number).padStart(2, "0");
    const [hours, minutes] = [Math.floor(seconds / HOUR), Math.floor((seconds % HOUR) / MINUTE)];
    return hours ? `${hours} h ${two(minutes)} min` : `${minutes} min ${two(seconds % MINUTE)} s`;
  }

  function roughly(seconds) {
    const size = Math.abs(seconds);
    if (size < HOUR) return relative.format(Math.round(seconds / MINUTE), "minute");
    if (size < 2 * DAY) return relative.format(Math.round(seconds / HOUR), "hour");
    return relative.format(Math.round(seconds / DAY), "day");
  }

  function tell() {
    read();
    const now = present();
    for (const each of document.querySelectorAll("[data-left]")) {
      const due = Date.parse(each.dataset.left) / 1000;
      if (Number.isNaN(due)) continue;
      const left = worked(now, due);
      const words = left === null ? roughly(due - now) : clock.working.replace("%(left)s", clocked(left));
      if (each.textContent !== words) each.textContent = words;
    }
  }

  // In a list the arrows go from row to row; Escape leaves a form for what opened it. No letter is taken from anybody.
  function onKey(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") step(event);
    else if (event.key === "Escape") leave();
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form?.requestSubmit();
  }

  function step(event) {
    const rows = [...document.querySelectorAll(".rows > li > a")];
    const here = rows.indexOf(document.activeElement);
    const next = here < 0 ? null : rows[here + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) {
      next.focus();
      event.preventDefault();
    }
  }

  function leave() {
    const form = document.activeElement?.closest("details[open] form, .slot form");
    const act = form?.closest("details.act");
    if (act) {
      act.open = false;
      act.querySelector("summary").focus();
    } else {
      form?.querySelector("[data-leave]")?.click();
    }
  }

  // Whoever comes by a link to an act finds it open, and can write at once.
  function arrive() {
    const act = location.hash.startsWith("#act-") && document.getElementById(location.hash.slice(1));
    if (!act || !act.matches("details")) return;
    act.open = true;
    act.querySelector("form :is(input:not([type=hidden]), select, textarea, button)")?.focus();
  }

  document.addEventListener("keydown", onKey);
  document.addEventListener("htmx:after:swap", tell);
  document.addEventListener("DOMContentLoaded", () => {
    tell();
    arrive();
  });
  addEventListener("hashchange", arrive);
  setInterval(tell, 1000);
})();
