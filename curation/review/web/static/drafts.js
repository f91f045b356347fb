// What somebody typed and has not sent: kept in this browser by recipe, item and person, until it is sent or thrown away.

const PREFIX = "tunewright.draft";
const MAX_AGE_MS = 30 * 24 * 3600 * 1000;

function keyOf(item) {
  return [PREFIX, document.body.dataset.person ?? "", item.dataset.recipe, item.dataset.item].map(encodeURIComponent).join("/");
}

function fields(item) {
  return [...item.querySelectorAll("[data-draft]")];
}

function isChanged(field) {
  return field.type === "checkbox" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
}

function nameOf(field) {
  return field.type === "checkbox" ? `${field.name}=${field.value}` : field.name;
}

export function saveDraft(item) {
  const changed = fields(item).filter(isChanged);
  try {
    if (!changed.length) localStorage.removeItem(keyOf(item));
    else {
      const values = Object.fromEntries(changed.map((field) => [nameOf(field), field.type === "checkbox" ? field.checked : field.value]));
      localStorage.setItem(keyOf(item), JSON.stringify({ at: Date.now(), values }));
    }
  } catch {
    // The browser keeps nothing (full, or told not to); what is on the page stays on the page.
  }
}

export function dropDraft(item) {
  try {
    localStorage.removeItem(keyOf(item));
  } catch {
    // Nothing is kept, nothing is dropped.
  }
}

// Put a draft back into its fields; returns the fields that it changed.
export function restoreDraft(item) {
  const draft = read(keyOf(item));
  if (!draft) return [];
  const restored = [];
  for (const field of fields(item)) {
    const value = draft.values[nameOf(field)];
    if (value === undefined) continue;
    if (field.type === "checkbox" ? field.checked === value : field.value === value) continue;
    if (field.type === "checkbox") field.checked = value;
    else field.value = value;
    restored.push(field);
  }
  return restored;
}

export function resetFields(item) {
  for (const field of fields(item)) {
    if (field.type === "checkbox") field.checked = field.defaultChecked;
    else field.value = field.defaultValue;
  }
}

function read(key) {
  try {
    const draft = JSON.parse(localStorage.getItem(key) ?? "null");
    return draft && typeof draft.values === "object" && draft.values ? draft : null;
  } catch {
    return null;
  }
}

export function forgetOldDrafts() {
  try {
    for (const key of Object.keys(localStorage).filter((name) => name.startsWith(PREFIX))) {
      const draft = read(key);
      if (!draft || Date.now() - draft.at > MAX_AGE_MS) localStorage.removeItem(key);
    }
  } catch {
    // Nothing is kept here.
  }
}
