// The hold on the item that is open: renewed every half minute while somebody is there, and a warning once it is lost.

import { banner } from "./banners.js";

const EVERY_MS = 30 * 1000;
const IDLE_MS = 15 * 60 * 1000;
const channel = "BroadcastChannel" in window ? new BroadcastChannel("tunewright.items") : null;

let timer = 0;
let lastSign = Date.now();

for (const name of ["keydown", "pointerdown", "scroll"]) {
  document.addEventListener(name, () => { lastSign = Date.now(); }, { passive: true, capture: true });
}
document.addEventListener("visibilitychange", () => { if (!document.hidden) renew(); });
window.addEventListener("online", () => renew());
channel?.addEventListener("message", ({ data }) => {
  const item = held();
  if (item && data.item === item.dataset.item && data.recipe === item.dataset.recipe && Number(data.generation) > Number(item.dataset.generation)) lose(item, "You have opened this item in another tab. That tab is the one that counts now.");
});

export function keepHold() {
  clearInterval(timer);
  const item = held();
  if (!item) return;
  timer = setInterval(renew, EVERY_MS);
  channel?.postMessage({ recipe: item.dataset.recipe, item: item.dataset.item, generation: item.dataset.generation });
}

function held() {
  return document.querySelector("#item[data-hold]:not([data-lost])");
}

async function renew() {
  const item = held();
  if (!item || Date.now() - lastSign > IDLE_MS) return;
  const response = await fetch(item.dataset.hold, { method: "POST", body: new URLSearchParams({ generation: item.dataset.generation }) }).catch(() => null);
  if (!response || held() !== item) return;
  if (response.status === 409) {
    const answer = await response.json().catch(() => ({}));
    lose(item, answer.reason === "other_page" ? answer.error : "Your hold on this item has run out, and somebody else may have it now. Nothing that you typed is lost.");
  } else if (response.status === 401) {
    banner("login", "You are logged out. Nothing that you typed is lost: log in in another tab, and go on here.", { link: ["Log in", "/login"] });
  }
}

function lose(item, text) {
  item.dataset.lost = "yes";
  clearInterval(timer);
  banner("lost", text, { actions: [["Open it here again", () => location.assign(item.dataset.place)]] });
}
