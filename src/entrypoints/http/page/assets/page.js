// Brings a page that says so (main[data-live]) up to date now and then, part by part, so that what has not changed
// stays, and so does the focus. It says how often, in milliseconds, or leaves that to us. Without this the first page loads itself anew, and nothing else is missing.
"use strict";

(() => {
  const main = document.getElementById("main");
  if (!main || !main.hasAttribute("data-live")) return;
  const EVERY_MS = Number(main.dataset.live) || 10_000;
  const freshness = document.getElementById("freshness");
  const pause = document.getElementById("pause");
  let isPaused = false;
  let isUnderWay = false;

  function put(old, fresh) {
    if (old.querySelector("details")?.open) fresh.querySelector("details")?.setAttribute("open", "");
    if (old.outerHTML === fresh.outerHTML) return;
    if (old.id === "headline") {
      // The same element with another text: only that is read aloud.
      old.className = fresh.className;
      if (old.textContent !== fresh.textContent) old.replaceChildren(...fresh.childNodes);
      return;
    }
    const focused = old.contains(document.activeElement) ? document.activeElement.id : null;
    const left = old.querySelector(".strip")?.scrollLeft;
    old.replaceWith(fresh);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    if (left) fresh.querySelector(".strip").scrollLeft = left;
  }

  function takeOver(told) {
    const fresh = told.getElementById("main");
    const ids = (where) => [...where.children].map((child) => child.id).join();
    if (ids(main) === ids(fresh)) {
      [...fresh.children].forEach((child, number) => put(main.children[number], child));
    } else {
      const focused = main.contains(document.activeElement) ? document.activeElement.id : null;
      main.replaceChildren(...fresh.childNodes);
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    }
    document.title = told.title;
    const as_of = told.getElementById("freshness").textContent;
    freshness.textContent = as_of || freshness.textContent;
  }

  async function refresh() {
    if (isUnderWay || isPaused || document.hidden) return;
    isUnderWay = true;
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(EVERY_MS) });
      const told = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (told.getElementById("main")) takeOver(told);
      freshness.classList.remove("bad");
    } catch {
      if (!freshness.classList.contains("bad")) freshness.textContent += " The service has not answered since.";
      freshness.classList.add("bad");
    } finally {
      isUnderWay = false;
    }
  }

  pause.hidden = false;
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", String(isPaused));
    refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, EVERY_MS);
})();
