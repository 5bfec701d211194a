// Keeps the page current: fetches it again and changes what differs, so that the scroll position, selections and open
// sections are kept. Without this script the page has the same content and reloads itself.
"use strict";
(() => {
  const PERIOD = 2000;
  const TIMEOUT = 5000;
  const LIVE = ["headline", "status", "about"];
  const pulse = document.getElementById("pulse");
  const processId = document.getElementById("status").dataset.process;
  let timer = 0;
  let asOf = pulse.textContent;

  const key = (node) => node.nodeType === Node.ELEMENT_NODE && (node.id || node.dataset.key);

  // Changes `now` into `next`, node by node. Nodes with a key are matched by it, wherever they moved.
  function morph(now, next) {
    if (now.nodeType !== next.nodeType || now.nodeName !== next.nodeName) {
      now.replaceWith(next);
      return;
    }
    if (now.nodeType !== Node.ELEMENT_NODE) {
      if (now.nodeValue !== next.nodeValue) now.nodeValue = next.nodeValue;
      return;
    }
    for (const { name, value } of [...next.attributes]) {
      if (now.getAttribute(name) !== value) now.setAttribute(name, value);
    }
    for (const { name } of [...now.attributes]) {
      if (!next.hasAttribute(name) && name !== "open") now.removeAttribute(name);
    }
    const keyed = new Map([...now.childNodes].filter(key).map((child) => [key(child), child]));
    let place = now.firstChild;
    for (const target of [...next.childNodes]) {
      const name = key(target);
      let found = name ? keyed.get(name) : place;
      if (!name) while (found && key(found)) found = found.nextSibling;
      if (!found || found.parentNode !== now) {
        if (name && /^(request|image)-/.test(name)) target.classList.add("new");
        now.insertBefore(target, place);
        continue;
      }
      if (found === place) place = place.nextSibling;
      else now.insertBefore(found, place);
      morph(found, target);
    }
    while (place) {
      const gone = place;
      place = place.nextSibling;
      gone.remove();
    }
  }

  function show(state, text) {
    document.documentElement.dataset.link = state;
    if (pulse.textContent !== text) pulse.textContent = text;
  }

  async function refresh() {
    try {
      const reply = await fetch("./", { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT) });
      if (!reply.ok) throw new Error(String(reply.status));
      const next = new DOMParser().parseFromString(await reply.text(), "text/html");
      // Another process may have another version of the page.
      if (next.getElementById("status").dataset.process !== processId) return location.reload();
      for (const id of LIVE) morph(document.getElementById(id), next.getElementById(id));
      document.title = next.title;
      asOf = next.getElementById("pulse").textContent;
      show("live", "live");
      pulse.title = asOf;
    } catch {
      show("lost", "regpass does not answer; " + asOf);
    }
    schedule();
  }

  function schedule() {
    clearTimeout(timer);
    if (document.visibilityState === "visible") timer = setTimeout(refresh, PERIOD);
    else show("paused", "paused");
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.visibilityState === "visible") refresh();
    else show("paused", "paused");
  });
  show("live", "live");
  pulse.title = asOf;
  schedule();
})();
