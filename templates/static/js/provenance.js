// A number opens a card with its source. The card's text is the entry of data/values/ that the number links to;
// where that page cannot be read (file://), the link is simply followed.
(() => {
  const dialog = document.getElementById("provenance");
  const pages = new Map();
  let opener = null;

  function entries(address) {
    if (!pages.has(address)) {
      pages.set(address, fetch(address).then((answer) => {
        if (!answer.ok) throw new Error(String(answer.status));
        return answer.text();
      }).then((text) => new DOMParser().parseFromString(text, "text/html")));
    }
    return pages.get(address);
  }

  function fill(entry, address) {
    const card = document.createElement("div");
    const title = document.createElement("h2");
    title.id = "provenance-title";
    title.textContent = entry.querySelector("h2").textContent;
    card.append(title, ...[...entry.children].filter((part) => part.tagName !== "H2").map((part) => document.importNode(part, true)));
    for (const link of card.querySelectorAll("a[href]")) link.href = new URL(link.getAttribute("href"), address).href;
    const whole = document.createElement("p");
    const link = document.createElement("a");
    link.href = address.href;
    link.textContent = "This entry in the list of all numbers";
    whole.append(link);
    const close = document.createElement("button");
    close.type = "button";
    close.className = "dialog-close";
    close.textContent = "Close";
    close.addEventListener("click", () => dialog.close());
    dialog.replaceChildren(card, whole, close);
  }

  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a.value");
    if (!link || event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    const address = new URL(link.href);
    opener = link;
    try {
      const page = await entries(address.origin === "null" ? address.href.split("#")[0] : address.origin + address.pathname);
      const entry = page.getElementById(decodeURIComponent(address.hash.slice(1)));
      if (!entry) throw new Error("no such entry");
      fill(entry, address);
      if (!dialog.open) dialog.showModal();
      dialog.scrollTop = 0;
    } catch {
      location.href = link.href;
    }
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => opener && opener.isConnected && opener.focus());
})();
