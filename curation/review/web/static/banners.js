// What the page has to say: banners that stay until they are settled, and one line for screen readers.

// Show a banner, or change the one of that name. `actions` are [label, function] pairs; `link` is [label, address].
export function banner(name, text, { tone = "", actions = [], link = null } = {}) {
  const place = document.getElementById("banners");
  if (!place) return;
  const element = document.createElement("div");
  element.className = `banner ${tone}`;
  element.dataset.banner = name;
  element.setAttribute("role", tone === "good" ? "status" : "alert");
  const line = document.createElement("p");
  line.textContent = text;
  element.append(line, ...(link ? [anchor(...link)] : []), ...actions.map(([label, act]) => button(label, act)));
  const old = find(name);
  if (old && old.textContent === element.textContent) return;
  if (old) old.replaceWith(element);
  else place.append(element);
}

export function dropBanner(name) {
  find(name)?.remove();
}

export function say(text) {
  const live = document.getElementById("live");
  if (live) live.textContent = text;
}

function find(name) {
  return document.querySelector(`[data-banner="${name}"]`);
}

function button(label, act) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = "button small";
  element.textContent = label;
  element.addEventListener("click", act);
  return element;
}

function anchor(label, address) {
  const element = document.createElement("a");
  element.className = "button small";
  element.href = address;
  element.target = "_blank";
  element.rel = "noopener";
  element.textContent = label;
  return element;
}
