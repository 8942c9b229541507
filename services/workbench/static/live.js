// A page that goes on by itself: told that there is something new, it asks for itself again and takes over what has changed.
"use strict";

(() => {
  const main = () => document.getElementById("main");
  let source = null;
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
    try {
      const path = location.pathname;
      const answer = await fetch(path, { headers: { "HX-Request": "true" } });
      if (answer.ok && answer.headers.has("HX-Redirect")) over();
      else if (answer.ok && path === location.pathname) await take(await answer.text());
    } catch {
      // The network is away: the stream comes back, and with it the news.
    } finally {
      asking = false;
      if (again) soon(0);
    }
  }

  async function take(text) {
    const had = main().contains(document.activeElement);
    await htmx.swap({ text, target: main(), select: "#main", swap: "outerMorph", sourceElement: document.body, request: {}, hx: {} });
    if (had && document.activeElement === document.body) document.getElementById("told").focus({ preventScroll: true });
    document.documentElement.dataset.taken = String(++taken);
  }

  // All who hear of the same at once do not ask at once.
  function soon(spread) {
    coming ||= setTimeout(refresh, Math.random() * spread);
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

  document.addEventListener("visibilitychange", seen);
  document.addEventListener("DOMContentLoaded", open);
})();
