// Decisions on their way: sent at once if that works, kept in this browser and sent again if it does not. The server records
// a form with the same token once, so sending it twice does no harm.

import { banner, dropBanner, say } from "./banners.js";

const PREFIX = "tunewright.outbox "; // one key an entry: tabs that wrote one list together could overwrite what the other kept
const RETRY_MS = 3000;
const TIMEOUT_MS = 20000;
const BUSY = new Set([502, 503, 504]);

// Post a form until the server has answered; returns its answer. Never gives up while the page is open.
export async function send(entry) {
  keep(entry);
  for (;;) {
    const response = await post(entry);
    if (response && !BUSY.has(response.status)) {
      dropBanner("waiting");
      if (response.status !== 401) forget(entry);
      return response;
    }
    banner("waiting", response
      ? "The server could not record this just now. Your decision is kept in this browser, and is sent again in a moment."
      : "You are offline. Your decision is kept in this browser, and is sent as soon as the network is back.");
    await pause();
  }
}

// Send what an earlier page could not; where the server refuses it, say so: the text is still in the draft of its item.
export async function flush() {
  for (const entry of list()) {
    const response = await post({ ...entry, body: `${entry.body}&then=stay` });
    if (!response || BUSY.has(response.status)) {
      banner("waiting", "A decision that you made before waits in this browser for the network.");
      setTimeout(flush, RETRY_MS);
      return;
    }
    dropBanner("waiting");
    if (response.status === 401) {
      banner("login", "A decision that you made before waits for you to log in.", { link: ["Log in", "/login"], actions: [["Send it", flush]] });
      return;
    }
    forget(entry);
    if (response.ok) {
      say("What you decided while you were offline is recorded.");
      banner("sent", "What you decided while you were offline is recorded.", { tone: "good", actions: [["Good", () => dropBanner("sent")]] });
    } else {
      banner("refused", "A decision that you made while you were offline was not recorded: the item has changed hands since. What you typed is kept.",
        { tone: "bad", link: ["Look at it", entry.place], actions: [["Close", () => dropBanner("refused")]] });
    }
  }
}

async function post({ url, body }) {
  try {
    return await fetch(url, {
      method: "POST",
      body,
      headers: { "content-type": "application/x-www-form-urlencoded" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    return null;
  }
}

function pause() {
  return new Promise((resolve) => {
    const timer = setTimeout(done, RETRY_MS);
    function done() {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      resolve();
    }
    window.addEventListener("online", done);
  });
}

function all() {
  const found = [];
  for (const key of keys()) {
    try {
      found.push(JSON.parse(localStorage.getItem(key)));
    } catch {
      // What is no entry stays where it is.
    }
  }
  return found.filter((entry) => entry?.token).sort((one, other) => one.kept - other.kept);
}

function keys() {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
  } catch {
    return [];
  }
}

// Only paths of this app, and only what the person who is logged in has decided.
function list() {
  return all().filter((entry) => entry.person === document.body.dataset.person && String(entry.url).startsWith("/recipes/"));
}

function keep(entry) {
  try {
    localStorage.setItem(PREFIX + entry.token, JSON.stringify({ kept: Date.now(), ...entry }));
  } catch {
    // The browser keeps nothing; the page that is open still sends it.
  }
}

function forget(entry) {
  try {
    localStorage.removeItem(PREFIX + entry.token);
  } catch {
    // It was never kept.
  }
}
