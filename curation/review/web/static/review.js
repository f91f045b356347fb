// Keyboard shortcuts. Every control that has one says so in its data-key attribute; the pages work without this file.
"use strict";

const help = document.getElementById("help");
const edited = document.getElementById("edited");

function isTyping(target) {
  return target.matches("textarea, input:not([type=radio]), select");
}

function openPanel(details) {
  details.open = true;
  const first = details.querySelector("textarea, input[type=radio]");
  first.focus();
  if (first === edited) first.setSelectionRange(first.value.length, first.value.length);
  details.scrollIntoView({ block: "nearest" });
}

function closePanels() {
  for (const details of document.querySelectorAll(".decide details[open]")) {
    details.open = false;
    details.querySelector("summary").focus();
  }
}

function hasUnsavedEdit() {
  return edited !== null && edited.value !== edited.defaultValue;
}

function press(control) {
  if (control.matches("summary")) {
    openPanel(control.parentElement);
  } else if (hasUnsavedEdit() && !window.confirm("Your edit is not saved. Go on without it?")) {
    edited.focus();
  } else {
    control.click();
  }
}

function onKey(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target === edited) {
    event.preventDefault();
    edited.form.requestSubmit();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  if (event.key === "Escape" && !(help && help.open)) closePanels();
  if (isTyping(event.target)) return;
  if (event.key === "?" && help) {
    help.open ? help.close() : help.showModal();
    return;
  }
  if (help && help.open) return;
  if (event.key === "Enter" && event.target !== document.body) return;
  const control = [...document.querySelectorAll("[data-key]")].find((each) => each.dataset.key === event.key);
  if (control) {
    event.preventDefault();
    press(control);
  }
}

function onSubmit(event) {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
}

function onShow() {
  for (const form of document.forms) delete form.dataset.sent;
}

document.addEventListener("keydown", onKey);
document.addEventListener("submit", onSubmit);
window.addEventListener("pageshow", onShow);
for (const details of document.querySelectorAll(".decide details")) {
  details.querySelector("summary").addEventListener("click", (event) => {
    if (details.open) return;
    event.preventDefault();
    openPanel(details);
  });
}
