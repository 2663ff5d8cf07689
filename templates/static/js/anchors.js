// A link to a place inside folds opens them, and a claim itself; the place is brought into view once the page stands.
(() => {
  function arrive() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return elsewhere();
    let folded = false;
    for (let fold = target.querySelector(":scope > details.claim") || target.closest("details"); fold; fold = fold.parentElement.closest("details")) {
      folded ||= !fold.open;
      fold.open = true;
    }
    if (folded) target.scrollIntoView();
  }
  // Claims have a page of their own since addresses named them on this one.
  function elsewhere() {
    if (!/^#claim-[a-z0-9-]+$/.test(location.hash)) return;
    const audit = document.querySelector(`a[href$="audit.html${location.hash}"], .audit-more a`);
    if (audit) location.replace(new URL(location.hash, audit.href));
  }
  addEventListener("hashchange", arrive);
  arrive();
})();
