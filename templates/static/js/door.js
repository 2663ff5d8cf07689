// The door opens by itself for a reader who has chosen before; `#door` asks it to stay shut.
(() => {
  const key = document.documentElement.dataset.paper + " variant";
  let kept = null;
  try { kept = localStorage.getItem(key); } catch { /* no storage, no memory */ }
  if ((kept === "clean" || kept === "distorted") && location.hash !== "#door") {
    location.replace(kept + "/index.html");
    return;
  }
  document.addEventListener("click", (event) => {
    const leaf = event.target.closest("[data-choose]");
    if (leaf) try { localStorage.setItem(key, leaf.dataset.choose); } catch { /* as above */ }
  });
})();
