// Keys. Every control that has one says so in its data-key attribute ("a", or "g w" for one after the other) and what it does
// in data-label; the sheet behind `?` lists exactly those.

import { busy } from "./travel.js";
import { openPanel, onItemKey } from "./panels.js";

const PREFIX_MS = 1500;
const ALWAYS = [["Ctrl Enter", "save the edit"], ["Esc", "close"], ["?", "this sheet"]];

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
  const controls = [...document.querySelectorAll("[data-key]")];
  const found = controls.filter((control) => control.dataset.key === wanted && !control.disabled);
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
  const controls = [...document.querySelectorAll("main [data-key]"), ...document.querySelectorAll("[data-key]")];
  for (const control of controls) {
    const label = control.dataset.label ?? control.textContent.trim();
    if (seen.has(control.dataset.key) || !label) continue;
    seen.add(control.dataset.key);
    rows.push([control.dataset.key, label]);
  }
  help.querySelector(".keys").replaceChildren(...[...rows, ...ALWAYS].map(([keys, label]) => row(keys, label)));
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
