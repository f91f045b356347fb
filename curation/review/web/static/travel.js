// From one item to the next without loading a page: the form is posted by fetch, and <main> is swapped for that of the answer.

import { banner, dropBanner, say } from "./banners.js";
import { send } from "./outbox.js";

let isBusy = false;
let numPainted = 0;

export function busy() {
  return isBusy;
}

// Send a form of the page and show what the server answers. `onDone(isRecorded)` is called before the page changes.
export async function submit(form, submitter, onDone) {
  if (isBusy) return;
  setBusy(true);
  try {
    const response = await send(entryOf(form, submitter));
    if (response.status === 401) askToLogIn(form, submitter);
    else await show(response, onDone);
  } finally {
    setBusy(false);
  }
}

function entryOf(form, submitter) {
  const fields = new URLSearchParams(new FormData(form, submitter));
  const action = submitter?.getAttribute("formaction") ?? form.getAttribute("action");
  const item = document.getElementById("item");
  return {
    url: action,
    body: fields.toString(),
    token: `${action} ${fields.get("token") ?? ""}`,
    place: item?.dataset.place ?? action.replace(/\/[a-z]+$/, ""),
    person: document.body.dataset.person,
  };
}

function setBusy(value) {
  isBusy = value;
  const main = document.querySelector("main");
  main.toggleAttribute("inert", value);
  if (value) main.setAttribute("aria-busy", "true");
  else main.removeAttribute("aria-busy");
}

function askToLogIn(form, submitter) {
  banner("login", "You are logged out, and this is not recorded yet. Nothing that you typed is lost: log in in another tab, then send it again.", {
    link: ["Log in", "/login"],
    actions: [["Send it again", () => { dropBanner("login"); form.requestSubmit(submitter); }]],
  });
}

async function show(response, onDone) {
  const html = await response.text().catch(() => "");
  const isRecorded = response.redirected;
  const page = new DOMParser().parseFromString(html, "text/html");
  const main = page.querySelector("main");
  onDone?.(isRecorded);
  if (main?.querySelector("#item") && (response.ok || !isRecorded)) {
    swap(page, main, isRecorded ? response.url : location.href);
  } else if (isRecorded) {
    location.assign(response.url);
  } else {
    const message = page.querySelector("[data-problem] h1 + p")?.textContent ?? `The server answered ${response.status}.`;
    banner("problem", `Not recorded. ${message}`, { tone: "bad", actions: [["Close", () => dropBanner("problem")]] });
  }
}

function swap(page, main, url) {
  for (const name of ["problem", "login", "lost", "unsaved"]) dropBanner(name);
  document.querySelector("main").replaceWith(document.adoptNode(main));
  const bar = page.querySelector("header.bar");
  if (bar) document.querySelector("header.bar").replaceWith(document.adoptNode(bar));
  document.title = page.title;
  if (url !== location.href) history.pushState(null, "", url);
  window.scrollTo(0, 0);
  document.dispatchEvent(new CustomEvent("page:shown", { detail: { isSwapped: true } }));
  tellPainted();
}

// Say what was saved, and put the focus at the beginning of the new page.
export function announce() {
  const said = [...document.querySelectorAll("main [data-say]")].map((element) => element.dataset.say);
  const title = document.getElementById("item-title");
  if (!document.activeElement || document.activeElement === document.body) title?.focus({ preventScroll: true });
  say([...said, title ? `${title.firstChild.textContent.trim()}.` : ""].join(" ").trim());
}

// Marks for whoever measures: the time from a key to the next item on the screen.
export function tellPainted() {
  requestAnimationFrame(() => setTimeout(() => {
    numPainted += 1;
    performance.mark("item-painted");
    document.documentElement.dataset.painted = String(numPainted);
    if (performance.getEntriesByName("key-pressed").length) performance.measure("key-to-item", "key-pressed", "item-painted");
  }));
}
