// Keeps the page up to date: asks for it again and changes what differs, so that scrolling, selections and what is
// unfolded stay. Without this script the page says the same and reloads itself.
"use strict";
(() => {
  const PERIOD = 2000;
  const PATIENCE = 5000;
  const LIVE = ["verdict", "status", "about"];
  const pulse = document.getElementById("pulse");
  const run = document.getElementById("status").dataset.process;
  let timer = 0;
  let asOf = pulse.textContent;

  const key = (node) => node.nodeType === Node.ELEMENT_NODE && (node.id || node.dataset.key);

  // Makes `now` what `next` is, node by node; what has a key is found again wherever it went.
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
    const kept = new Map([...now.childNodes].filter(key).map((child) => [key(child), child]));
    let place = now.firstChild;
    for (const wanted of [...next.childNodes]) {
      const name = key(wanted);
      let found = name ? kept.get(name) : place;
      if (!name) while (found && key(found)) found = found.nextSibling;
      if (!found || found.parentNode !== now) {
        if (name && /^(request|image)-/.test(name)) wanted.classList.add("new");
        now.insertBefore(wanted, place);
        continue;
      }
      if (found === place) place = place.nextSibling;
      else now.insertBefore(found, place);
      morph(found, wanted);
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

  async function look() {
    try {
      const reply = await fetch("./", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (!reply.ok) throw new Error(String(reply.status));
      const next = new DOMParser().parseFromString(await reply.text(), "text/html");
      // Another process may come with another page.
      if (next.getElementById("status").dataset.process !== run) return location.reload();
      for (const id of LIVE) morph(document.getElementById(id), next.getElementById(id));
      document.title = next.title;
      asOf = next.getElementById("pulse").textContent;
      show("live", "live");
      pulse.title = asOf;
    } catch {
      show("lost", "regpass does not answer; " + asOf);
    }
    wait();
  }

  function wait() {
    clearTimeout(timer);
    if (document.visibilityState === "visible") timer = setTimeout(look, PERIOD);
    else show("paused", "paused");
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.visibilityState === "visible") look();
    else show("paused", "paused");
  });
  show("live", "live");
  pulse.title = asOf;
  wait();
})();
