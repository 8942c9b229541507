// A page that goes on by itself: told that there is something new, it asks for itself again and takes over what has changed.
"use strict";

(() => {
  const main = () => document.getElementById("main");
  const LATER = 1000;
  let source = null;
  let acting = 0;
  let acts = 0;
  let coming = 0;
  let asking = false;
  let again = false;
  let taken = 0;

  async function refresh() {
    coming = 0;
    if (document.hidden || asking) {
      again = true;
      return;
    }
    asking = true;
    again = false;
    const before = acts;
    try {
      const answer = await fetch(location.pathname, { headers: { "HX-Request": "true" } });
      const text = await answer.text();
      if (answer.headers.has("HX-Redirect")) over();
      // A page that was asked for before somebody's own act, or during it, would take that act back.
      else if (!answer.ok || acting || acts !== before) again = true;
      else await take(text);
    } catch {
      again = true; // the network is away
    } finally {
      asking = false;
      if (again) soon(0, LATER);
    }
  }

  async function take(text) {
    const had = main().contains(document.activeElement);
    // What was said of somebody's own act stays until they act again.
    const told = document.getElementById("told");
    told.setAttribute("hx-morph-skip", "");
    await htmx.swap({ text, target: main(), select: "#main", swap: "outerMorph", sourceElement: document.body, request: {}, hx: {} });
    told.removeAttribute("hx-morph-skip");
    if (had && document.activeElement === document.body) told.focus({ preventScroll: true });
    document.documentElement.dataset.taken = String(++taken);
  }

  // All who hear of the same at once do not ask at once.
  function soon(spread, least = 0) {
    coming ||= setTimeout(refresh, least + Math.random() * spread);
  }

  function over() {
    source?.close();
    source = null;
    document.getElementById("told").textContent = main().dataset.over;
  }

  function heard(event) {
    if (event.lastEventId === "") {
      // What came behind the place is not kept: it is read anew, and watched from there on.
      source.close();
      source = null;
      refresh().then(open);
    } else {
      soon(Number(event.data));
    }
  }

  function open() {
    const address = main()?.dataset.live;
    if (!address || source || document.hidden) return;
    source = new EventSource(address);
    source.addEventListener("message", heard);
    source.addEventListener("over", over);
    source.addEventListener("open", () => document.documentElement.setAttribute("data-going-on", ""));
  }

  // A page that nobody sees holds no connection; seen again, it goes on from what it shows.
  function seen() {
    if (document.hidden) {
      source?.close();
      source = null;
    } else {
      open();
      if (again) soon(0);
    }
  }

  document.addEventListener("htmx:before:request", () => {
    acting += 1;
    acts += 1;
  });
  document.addEventListener("htmx:finally:request", () => {
    acting -= 1;
    acts += 1;
  });
  document.addEventListener("visibilitychange", seen);
  document.addEventListener("DOMContentLoaded", open);
})();
