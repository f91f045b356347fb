// Lists: j and k move from item to item, Enter opens the one in focus, x ticks it. The page works without this file.

import { isTyping } from "./keys.js";

function rows() {
  return [...document.querySelectorAll("#hits .item-row")];
}

function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.parentElement.contains(document.activeElement));
  const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
  all[next].focus();
  all[next].scrollIntoView({ block: "nearest" });
}

function tick() {
  const row = rows().find((each) => each.parentElement.contains(document.activeElement));
  const box = row?.parentElement.querySelector("input[type=checkbox]");
  if (!box) return false;
  box.click();
  return true;
}

function onListKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTyping(event.target)) return;
  if (document.querySelector("dialog[open]") || document.documentElement.dataset.shortcuts === "off") return;
  if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
  else if (event.key !== "x" || !tick()) return;
  event.preventDefault();
}

document.addEventListener("keydown", onListKey);
