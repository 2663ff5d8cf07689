// A link to a place inside folds opens them, and a claim itself; the place is brought into view once the page stands.
(() => {
  function arrive() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    let folded = false;
    for (let fold = target.querySelector(":scope > details.claim") || target.closest("details"); fold; fold = fold.parentElement.closest("details")) {
      folded ||= !fold.open;
      fold.open = true;
    }
    if (folded) target.scrollIntoView();
  }
  addEventListener("hashchange", arrive);
  arrive();
})();
