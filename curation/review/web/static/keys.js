// Keys. Every control that has one says so in its data-key attribute ("a", or "g w" for one after the other) and what it does
// in data-label; the sheet behind `?` lists exactly those. A second key for the same is in data-also.

import { busy } from "./travel.js";
import { openPanel, onItemKey } from "./panels.js";

const PREFIX_MS = 1500;
// What has no control of its own: where it is found, the keys, and what they do.
const OTHERS = [
  ["#edit [data-sends]", "Ctrl Enter", "save the edit"],
  ["#reject [data-number]", "1-9", "while rejecting: the reason with that number"],
  ["#reject [data-sends]", "Enter", "while rejecting: reject"],
  ["#hits .item-row", "j", "the next item"],
  ["#hits .item-row", "k", "the item before"],
  ["#hits .item-row", "Enter", "open the item that is in focus"],
  ["#hits input[type=checkbox]", "x", "tick the item that is in focus"],
  ["body", "Esc", "close"],
  ["body", "?", "this sheet"],
];

let prefix = "";
let prefixTimer = 0;

export function isTyping(target) {
  return target instanceof Element && target.matches("textarea, select, input:not([type=radio], [type=checkbox])");
}

export function onKey(event) {
  if (event.isComposing || event.defaultPrevented) return;
  const help = document.getElementById("help");
  if (help?.open) {
    if (event.key === "?") help.close();
    return;
  }
  if (document.querySelector("dialog[open]")) return;
  if (busy()) {
    if (!event.ctrlKey && !event.metaKey && !event.altKey && event.key.length === 1) event.preventDefault();
    return;
  }
  const isOff = document.documentElement.dataset.shortcuts === "off" && event.key.length === 1;
  if (!isOff && onItemKey(event, isTyping(event.target))) {
    event.preventDefault();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return;
  if (document.documentElement.dataset.shortcuts === "off") return;
  if (event.key === " " && event.target.matches("[data-opens]")) {
    event.preventDefault();
    event.target.click();
    return;
  }
  if (event.key === "?") showHelp();
  else if (!runKey(event.key, event.target)) return;
  event.preventDefault();
}

function runKey(key, target) {
  const wanted = prefix ? `${prefix} ${key}` : key;
  setPrefix("");
  if ((key === "Enter" || key === " ") && target !== document.body) return false;
  const controls = findControls();
  const found = controls.filter((control) => control.dataset.key === wanted || control.dataset.also === wanted);
  if (found.length) {
    performance.clearMarks("key-pressed");
    performance.mark("key-pressed");
    press(found);
    return true;
  }
  if (controls.some((control) => control.dataset.key.startsWith(`${wanted} `))) {
    setPrefix(wanted);
    return true;
  }
  return false;
}

// Every control that has a key now; what a key does is what the first of them does.
function findControls() {
  const controls = [...document.querySelectorAll("main [data-key]"), ...document.querySelectorAll("[data-key]")];
  return [...new Set(controls)].filter((control) => !control.disabled);
}

function setPrefix(value) {
  prefix = value;
  clearTimeout(prefixTimer);
  if (value) prefixTimer = setTimeout(() => { prefix = ""; }, PREFIX_MS);
}

function press(controls) {
  const [first] = controls;
  if (first.dataset.opens) openPanel(first.dataset.opens);
  else if (first.dataset.cycles) cycle(first.dataset.cycles);
  else if (first.matches("summary")) {
    const isOpen = !first.parentElement.open;
    for (const summary of controls) summary.parentElement.open = isOpen;
    if (isOpen) first.parentElement.scrollIntoView({ block: "nearest" });
  } else {
    if (first.matches("input")) first.closest("details")?.setAttribute("open", "");
    if (first.matches("input[type=search], input[type=text], textarea, select")) first.focus();
    else first.click();
  }
}

function cycle(name) {
  const radios = [...document.querySelectorAll(`input[type=radio][name="${name}"]`)];
  const next = radios[(radios.findIndex((radio) => radio.checked) + 1) % radios.length];
  next.checked = true;
  next.dispatchEvent(new Event("change", { bubbles: true }));
}

function showHelp() {
  const help = document.getElementById("help") ?? buildHelp();
  const seen = new Set();
  const rows = [];
  for (const control of findControls()) {
    const label = control.dataset.label ?? control.textContent.trim();
    for (const keys of [control.dataset.key, control.dataset.also]) {
      if (!keys || seen.has(keys)) continue;
      seen.add(keys);
      rows.push([keys, label]);
    }
  }
  const others = OTHERS.filter(([place]) => document.querySelector(place)).map(([, keys, label]) => [keys, label]);
  help.querySelector(".keys").replaceChildren(...[...rows, ...others].map(([keys, label]) => row(keys, label)));
  help.showModal();
}

function buildHelp() {
  const help = document.createElement("dialog");
  help.id = "help";
  help.setAttribute("aria-labelledby", "help-title");
  const title = document.createElement("h2");
  title.id = "help-title";
  title.textContent = "Keys on this page";
  const keys = document.createElement("ul");
  keys.className = "keys";
  const close = document.createElement("button");
  close.className = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => help.close());
  help.append(title, keys, close);
  document.body.append(help);
  return help;
}

function row(keys, label) {
  const element = document.createElement("li");
  const pressed = document.createElement("span");
  for (const key of keys.split(" ")) {
    const shown = document.createElement("kbd");
    shown.textContent = key;
    pressed.append(shown, " ");
  }
  const said = document.createElement("span");
  said.textContent = label;
  element.append(pressed, said);
  return element;
}
