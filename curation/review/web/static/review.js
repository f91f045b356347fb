// The review pages work without this file; with it, nothing needs a mouse, nothing typed is lost, and items follow at once.

import { banner, dropBanner } from "./banners.js";
import { onToggle } from "./costs.js";
import { showDiff } from "./diff.js";
import { dropDraft, forgetOldDrafts, resetFields, restoreDraft, saveDraft } from "./drafts.js";
import { keepHold } from "./hold.js";
import { onKey } from "./keys.js";
import { flush } from "./outbox.js";
import { closePanels, onSentenceClick, openPanel, showMarks, tellOpeners } from "./panels.js";
import { announce, submit, tellPainted } from "./travel.js";

let shownAt = performance.now();
let isSure = null;

function onShown({ isSwapped = false } = {}) {
  shownAt = performance.now();
  showSection();
  isSure = null;
  const item = document.getElementById("item");
  if (item) {
    tellOpeners();
    restore(item);
    showMarks(item);
    drawDiff();
    keepHold();
  }
  if (isSwapped) announce();
}

// On a phone the pages of a queue are a strip wider than the screen: it begins where the current one is in sight.
function showSection() {
  const link = document.querySelector(".sections [aria-current]");
  const strip = link?.closest(".sections");
  if (strip) strip.scrollLeft = link.offsetLeft - (strip.clientWidth - link.offsetWidth) / 2;
}

function restore(item) {
  const fields = restoreDraft(item);
  if (!fields.length) return;
  for (const field of fields) field.closest("details")?.setAttribute("open", "");
  tellOpeners();
  const notice = document.createElement("p");
  notice.className = "notice restored";
  notice.dataset.say = "What you typed here before is back.";
  const line = document.createElement("span");
  line.textContent = "What you typed here before, and did not send, is back.";
  const discard = document.createElement("button");
  discard.type = "button";
  discard.className = "button small";
  discard.textContent = "Discard it";
  discard.addEventListener("click", () => {
    resetFields(item);
    dropDraft(item);
    closePanels();
    showMarks(item);
    drawDiff();
    notice.remove();
    document.getElementById("item-title").focus();
  });
  notice.append(line, discard);
  item.querySelector(".columns").before(notice);
}

// -- the edit ----------------------------------------------------------------------------------------------------

function edited() {
  return document.getElementById("edited");
}

function drawDiff() {
  const target = document.getElementById("diff");
  if (!target) return;
  target.parentElement.hidden = false;
  showDiff(target, target.dataset.original, edited().value);
}

function hasUnsavedEdit() {
  const field = edited();
  const original = document.getElementById("diff")?.dataset.original;
  return Boolean(field) && field.value !== field.defaultValue && field.value !== original;
}

// -- sending -----------------------------------------------------------------------------------------------------

function onSubmit(event) {
  const form = event.target;
  if (form.method !== "post") return;
  if (!form.matches("[data-swap]")) {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    return;
  }
  event.preventDefault();
  const { submitter } = event;
  const decision = submitter?.name === "decision" ? submitter.value : "";
  if (form.id === "verdict" && !mayGo(submitter, decision)) return;
  const seconds = form.elements.namedItem("seconds");
  if (seconds) seconds.value = ((performance.now() - shownAt) / 1000).toFixed(1);
  const item = document.getElementById("item");
  const isLeft = hasUnsavedEdit() && decision !== "edit";
  submit(form, submitter, (isRecorded) => {
    if (isRecorded && item && form.id === "verdict" && decision && !isLeft) dropDraft(item);
  });
}

function mayGo(submitter, decision) {
  const why = document.getElementById("why");
  if (decision === "reject" && !document.querySelector('input[name="reason"]:checked')) {
    why.hidden = false;
    openPanel("reject");
    return false;
  }
  if (decision === "edit" || !hasUnsavedEdit() || isSure === submitter) return true;
  isSure = submitter;
  const name = submitter.textContent.trim().split(/\s+/)[0];
  banner("unsaved", `Your edit is not saved. ${name} again goes on without it; it stays in this browser.`, {
    actions: [[`${name} without it`, () => submitter.click()], ["Back to the edit", () => { dropBanner("unsaved"); isSure = null; openPanel("edit"); }]],
  });
  return false;
}

function onInput(event) {
  const item = event.target.closest?.("#item");
  if (!item || !event.target.matches("[data-draft]")) return;
  saveDraft(item);
  isSure = null;
  if (event.target === edited()) drawDiff();
  if (event.target.name === "reason") document.getElementById("why").hidden = true;
  if (event.target.name === "unsupported") showMarks(item);
}

function onClick(event) {
  const opener = event.target.closest?.("[data-opens]");
  if (opener) {
    event.preventDefault();
    const panel = document.getElementById(opener.dataset.opens);
    if (panel.open) closePanels();
    else openPanel(panel.id);
  } else onSentenceClick(event);
}

document.documentElement.classList.add("scripted");
document.addEventListener("keydown", onKey);
document.addEventListener("submit", onSubmit);
document.addEventListener("input", onInput);
document.addEventListener("click", onClick);
document.addEventListener("toggle", onToggle, true);
document.addEventListener("page:shown", (event) => onShown(event.detail));
window.addEventListener("popstate", () => location.reload());
window.addEventListener("pageshow", (event) => {
  for (const form of document.forms) delete form.dataset.sent;
  if (event.persisted) location.reload();
});
forgetOldDrafts();
onShown();
if (document.getElementById("item")) tellPainted();
flush();
