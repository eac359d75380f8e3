"use strict";

// Optional: the admin pages work without this script. It updates lists while you type and shows confirmations in a dialog.

const QUIET_MS = 200;

document.documentElement.classList.add("scripted");

async function load(address, signal) {
  const answer = await fetch(address, { headers: { Accept: "text/html" }, signal });
  const isPage = answer.ok || answer.status === 422;
  return isPage ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

// Lists: search when typing pauses. Only the response to the latest request is shown.
for (const form of document.querySelectorAll("form[data-live]")) {
  let pause = 0;
  let asking = new AbortController();

  const ask = async () => {
    clearTimeout(pause);
    asking.abort();
    asking = new AbortController();
    const filled = [...new FormData(form)].filter(([, value]) => value !== "");
    const address = `${form.getAttribute("action")}?${new URLSearchParams(filled)}`;
    try {
      const page = await load(address, asking.signal);
      if (page === null) {
        location.assign(address);
        return;
      }
      for (const id of form.dataset.live.split(" ")) {
        const here = document.getElementById(id);
        const there = page.getElementById(id);
        here.replaceChildren(...there.childNodes);
      }
      history.replaceState(null, "", address);
    } catch (error) {
      if (error.name !== "AbortError") location.assign(address);
    }
  };

  form.addEventListener("input", (event) => {
    clearTimeout(pause);
    pause = setTimeout(ask, event.target.type === "search" ? QUIET_MS : 0);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
}

// Show the form of a confirmation page in a dialog.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link === null || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const page = await load(link.href).catch(() => null);
  const question = page?.querySelector("[data-confirm]");
  if (!question) {
    location.assign(link.href);
    return;
  }
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "question");
  dialog.append(question);
  dialog.addEventListener("close", () => {
    dialog.remove();
    link.focus();
  });
  dialog.addEventListener("click", (inside) => {
    if (inside.target === dialog || inside.target.closest("[data-cancel]")) {
      inside.preventDefault();
      dialog.close();
    }
  });
  document.body.append(dialog);
  dialog.showModal();
});

// Remove `done` from the address, so that a reload does not show its message again.
const here = new URL(location.href);
if (here.searchParams.has("done")) {
  here.searchParams.delete("done");
  history.replaceState(null, "", here);
}
