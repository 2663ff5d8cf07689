// Before the first paint: say that scripts run, and bring back what the reader chose last time.
(() => {
  const root = document.documentElement;
  root.dataset.js = "";
  for (const name of ["theme", "intensity"]) {
    try {
      const kept = localStorage.getItem(root.dataset.paper + " " + name);
      if (kept) root.dataset[name] = kept;
    } catch { /* storage may be closed; the page works without */ }
  }
  document.addEventListener("DOMContentLoaded", () => {
    for (const field of document.querySelectorAll("[data-remember]")) {
      const name = field.dataset.remember;
      const kept = field.querySelector(`input[value="${CSS.escape(root.dataset[name] || "")}"]`);
      if (kept) kept.checked = true;
      field.addEventListener("change", (event) => {
        root.dataset[name] = event.target.value;
        try { localStorage.setItem(root.dataset.paper + " " + name, event.target.value); } catch { /* as above */ }
      });
    }
    // An open menu closes when the reader goes on: Escape, a click elsewhere, a link followed.
    const close = (except) => document.querySelectorAll("[data-menu][open]").forEach((menu) => { if (menu !== except) menu.open = false; });
    document.addEventListener("click", (event) => close(event.target.closest("a") ? null : event.target.closest("[data-menu]")));
    document.addEventListener("focusin", (event) => close(event.target.closest("[data-menu]")));
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      const menu = document.querySelector("[data-menu][open]");
      if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
    });
  });
})();
