// Acting without leaving the page. A form that somebody has begun stays as it is, whatever the page around it becomes:
// its words, and the version of the case on which they were written, so that a conflict is found and shown.
"use strict";

(() => {
  const BEGUN = "hx-morph-skip";
  const HOLDERS = "details.act, .slot";
  const main = () => document.getElementById("main");
  const of = (id, root = document) => (id ? root.querySelector(`#${CSS.escape(id)}`) : null);

  // What was begun and has no place in the new page gets one at its end.
  function keep(fragment) {
    const kept = fragment.querySelector("#kept");
    if (!kept) return;
    for (const each of main().querySelectorAll(`[${BEGUN}]`)) {
      if (of(each.id, fragment)) continue;
      const place = document.createElement(each.tagName);
      place.id = each.id;
      kept.append(place);
      kept.hidden = false;
    }
  }

  function versions(before, now) {
    if (!before || !now) return;
    for (const each of main().querySelectorAll(`[${BEGUN}] input[name="version"]`)) {
      if (each.value === before) each.value = now;
    }
  }

  // What is written is looked through while it is written: that is no act, and takes no focus.
  const isAct = (ctx) => ctx.request?.method === "POST" && !ctx.sourceElement.matches("textarea");
  const tell = (words) => (document.getElementById("told").textContent = words);

  function done(ctx) {
    const holder = of(ctx.holder) ?? of(ctx.hx.retarget?.slice(1));
    if (ctx.response.status >= 400) {
      // What was not done is still begun: the next update must not take what was written.
      tell("");
      holder?.setAttribute(BEGUN, "");
      (holder?.querySelector('[role="alert"]') ?? document.querySelector('#main [role="alert"]'))?.focus();
      return;
    }
    versions(ctx.version, main().dataset.acted);
    if (holder?.matches("details") && !holder.closest("#kept")) {
      holder.open = false;
      holder.querySelector("form")?.reset();
      holder.querySelector("summary").focus();
    } else {
      document.getElementById("told").focus();
    }
  }

  htmx.registerExtension("workbench", {
    htmx_config_request(_, { ctx }) {
      ctx.holder = ctx.sourceElement.closest(HOLDERS)?.id;
      ctx.version = ctx.request.body?.get?.("version");
      if (isAct(ctx)) tell(main().dataset.sending);
    },
    htmx_before_swap(_, { ctx, tasks }) {
      const whole = tasks.find((each) => each.target === main());
      if (!whole) return;
      const mine = of(ctx.holder);
      if (mine && (ctx.response?.status < 400 || of(mine.id, whole.fragment))) mine.removeAttribute(BEGUN);
      keep(whole.fragment);
    },
    htmx_before_morph_attr(node, { attrName, newValue }) {
      return !(node.matches("details") && attrName === "open" && newValue === null);
    },
    htmx_after_swap(_, { ctx }) {
      for (const each of document.querySelectorAll(".slot:not(:empty)")) each.setAttribute(BEGUN, "");
      if (isAct(ctx)) done(ctx);
      else ctx.sourceElement.closest?.("li")?.querySelector(".slot :is(input:not([type=hidden]), select, textarea, button)")?.focus();
    },
    htmx_error() {
      tell(main().dataset.failed);
    },
  });

  function begin(event) {
    event.target.closest?.("#main")?.contains(event.target) && event.target.closest(HOLDERS)?.setAttribute(BEGUN, "");
  }

  function leave(event) {
    const slot = event.target.closest?.("[data-leave]")?.closest(".slot");
    if (!slot) return;
    event.preventDefault();
    slot.removeAttribute(BEGUN);
    slot.replaceChildren();
    slot.parentElement.querySelector("a")?.focus();
  }

  document.addEventListener("input", begin);
  document.addEventListener("click", leave);
})();
