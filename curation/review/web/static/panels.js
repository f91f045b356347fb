// The panels of the item page (edit, reject, comment) and the sentences of the answer, by key and by click.

const EXCLUSIVE = ["edit", "reject"];

export function openPanel(id) {
  const panel = document.getElementById(id);
  if (!panel) return;
  for (const other of EXCLUSIVE) {
    if (other !== id && EXCLUSIVE.includes(id)) closePanel(document.getElementById(other));
  }
  panel.open = true;
  tellOpeners();
  const first = panel.querySelector("textarea, input");
  first?.focus();
  if (first?.matches("textarea")) first.setSelectionRange(first.value.length, first.value.length);
  panel.scrollIntoView({ block: "nearest" });
}

function closePanel(panel) {
  if (!panel?.open) return;
  panel.open = false;
  tellOpeners();
}

export function closePanels() {
  const open = [...document.querySelectorAll("#verdict > details[open]:not(.marks)")];
  const last = open.at(-1);
  open.forEach(closePanel);
  if (last) document.querySelector(`[data-opens="${last.id}"]`)?.focus();
  return open.length > 0;
}

export function tellOpeners() {
  for (const opener of document.querySelectorAll("[data-opens]")) {
    const panel = document.getElementById(opener.dataset.opens);
    opener.setAttribute("role", "button");
    opener.setAttribute("aria-expanded", String(Boolean(panel?.open)));
    opener.setAttribute("aria-controls", opener.dataset.opens);
  }
}

// Keys with a meaning of their own here; true if this was one.
export function onItemKey(event, isTyping) {
  const form = document.getElementById("verdict");
  if (!form) return false;
  if (event.key === "Escape") return closePanels();
  if (event.key === "Enter") return onEnter(event, form, isTyping);
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping) return false;
  const reject = document.getElementById("reject");
  const numbered = reject?.open ? reject.querySelector(`[data-number="${CSS.escape(event.key)}"]`) : null;
  if (numbered && !event.repeat) {
    numbered.click();
    return true;
  }
  if (event.key === "j" || event.key === "k") return goToSentence(event.key === "j" ? 1 : -1);
  if (event.key === "m" && !event.repeat) return markSentence();
  return false;
}

function onEnter(event, form, isTyping) {
  const panel = event.target instanceof Element ? event.target.closest("#verdict > details") : null;
  const open = panel ?? form.querySelector("details[open]:not(.marks, #note)");
  const sends = open?.querySelector("[data-sends]");
  if (event.ctrlKey || event.metaKey) {
    sends?.click();
    return Boolean(sends);
  }
  if (event.target instanceof Element && event.target.matches("textarea, button, a, summary")) return false;
  if (panel?.id === "note" && isTyping) return closePanels();
  if (panel?.id === "reject") {
    sends.click();
    return true;
  }
  return false;
}

// -- sentences ---------------------------------------------------------------------------------------------------

function box(sentence) {
  return document.querySelector(`input[name="unsupported"][value="${sentence.dataset.sentence}"]`);
}

function goToSentence(step) {
  const sentences = [...document.querySelectorAll("[data-sentence]")].filter(box);
  if (!sentences.length) return false;
  const at = sentences.findIndex((sentence) => sentence.classList.contains("at"));
  const next = at < 0 ? (step > 0 ? 0 : sentences.length - 1) : Math.min(Math.max(at + step, 0), sentences.length - 1);
  sentences[at]?.classList.remove("at");
  sentences[next].classList.add("at");
  sentences[next].scrollIntoView({ block: "nearest" });
  document.getElementById("live").textContent = `${next + 1} of ${sentences.length}${box(sentences[next]).checked ? ", marked" : ""}: ${sentences[next].textContent}`;
  return true;
}

function markSentence() {
  const sentence = document.querySelector(".sentence.at");
  if (!sentence) return false;
  box(sentence).click();
  document.getElementById("live").textContent = box(sentence).checked ? "Marked as not in the source." : "Not marked any more.";
  return true;
}

// The marks in the answer follow the boxes, and a click on a sentence is one on its box.
export function showMarks(item) {
  let num = 0;
  for (const sentence of item.querySelectorAll("[data-sentence]")) {
    const isMarked = Boolean(box(sentence)?.checked);
    sentence.classList.toggle("marked", isMarked);
    num += isMarked ? 1 : 0;
  }
  const count = document.getElementById("marked-count");
  if (count) count.textContent = num ? `${num} marked` : "";
}

export function onSentenceClick(event) {
  const sentence = event.target instanceof Element ? event.target.closest("[data-sentence]") : null;
  if (!sentence || !box(sentence) || String(window.getSelection()).length) return;
  document.querySelector(".sentence.at")?.classList.remove("at");
  sentence.classList.add("at");
}
