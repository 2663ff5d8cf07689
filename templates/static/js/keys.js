// f flips, the arrows go from exhibit to exhibit, ? lists the keys. Never while something else wants the key.
(() => {
  const dialog = document.getElementById("keys-dialog");
  const button = document.querySelector("[data-keys]");

  function list() {
    const copy = document.getElementById("keys").cloneNode(true);
    const close = document.createElement("button");
    copy.removeAttribute("id");
    copy.removeAttribute("aria-labelledby");
    copy.querySelector("h2").id = "keys-dialog-title";
    close.type = "button";
    close.className = "dialog-close";
    close.textContent = "Close";
    close.addEventListener("click", () => dialog.close());
    const box = document.createElement("div");
    box.className = "keys";
    box.append(...copy.childNodes);
    dialog.replaceChildren(box, close);
    dialog.showModal();
  }

  function step(turn) {
    const link = document.querySelector(turn < 0 ? "a[rel=prev]" : "a[rel=next]");
    if (document.querySelector("[data-single]")) {
      if (link) location.href = link.href;
      return;
    }
    const all = [...document.querySelectorAll("figure[data-exhibit]")].filter((one) => one.checkVisibility());
    const top = (one) => one.getBoundingClientRect().top - 90;
    const at = all.indexOf(document.activeElement);
    const next = at >= 0 ? all[at + turn] : turn > 0 ? all.find((one) => top(one) > 4) : all.findLast((one) => top(one) < -4);
    if (!next) return;
    next.tabIndex = -1;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "start" });
  }

  button.hidden = false;
  button.addEventListener("click", list);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, select, textarea, [contenteditable]") || document.querySelector("dialog[open]")) return;
    if (event.key === "f") document.dispatchEvent(new Event("flip"));
    else if (event.key === "?") list();
    else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && !scrolls(event.target)) step(event.key === "ArrowLeft" ? -1 : 1);
    else return;
    event.preventDefault();
  });

  function scrolls(target) { // a table that is wider than the window keeps its arrows
    const box = target.closest(".table-scroll, pre");
    return box !== null && box.scrollWidth > box.clientWidth;
  }
})();
