// "see as filed": shows the untreated picture in its place, and back. Without scripts the link leads to the picture.
(() => {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-untreated]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    const plain = link.closest("[data-treated-plate]").classList.toggle("untreated");
    link.firstChild.textContent = plain ? "see treated" : "see as filed";
  });
  for (const box of document.querySelectorAll("[data-copy]")) {
    const button = box.querySelector("[data-copy-button]");
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(box.querySelector("code").textContent);
      box.querySelector("output").textContent = " Copied.";
    });
  }
})();
