// The viewer: draws one page of the chosen items, and sets the filters when a number of the report is clicked.
const PER_PAGE = 20;
const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};
const showSide = (data, item, index, name) => {
  const answer = index === null ? [item.reference, null] : item.answers[index];
  const right = index !== null && data.tasks[item.task].binary && answer ? isRight(data, item, answer) : null;
  const side = make("div", `side${right === null ? "" : right ? " ok" : " no"}`);
  const who = make("p", "who");
  who.append(make("span", "", name));
  if (right !== null) who.append(make("span", `mark ${right ? "ok" : "no"}`, right ? "right" : "wrong"));
  else if (index !== null && answer && answer[1] !== null) {
    const task = data.tasks[item.task];
    who.append(make("span", "", `${task.metric} ${task.share ? `${(answer[1] * 100).toFixed(0)} %` : answer[1].toFixed(3)}`));
  }
  const said = make("p", "said");
  side.append(who, said);
  const text = answer ? answer[2] ? `no answer: ${answer[2]}` : answer[0] : "not asked";
  if (!text || !answer || answer[2]) said.classList.add("none");
  return {side, said, text: text || "(empty)"};
};
const showOthers = (data, item, shown) => {
  const others = data.comparators.map((_, index) => index).filter((index) => !shown.includes(index) && item.answers[index]);
  if (!others.length) return null;
  const details = make("details");
  details.append(make("summary", "", `${others.length} more answers`));
  const sides = make("div", "sides");
  others.forEach((index) => {
    const found = showSide(data, item, index, data.comparators[index].name);
    found.said.textContent = found.text;
    sides.append(found.side);
  });
  details.append(sides);
  return details;
};
const showNear = (item) => {
  if (!item.near.length) return null;
  const details = make("details");
  details.append(make("summary", "", "Nearest in the training data"));
  const list = make("ul", "near");
  item.near.forEach(([kind, key, text]) => {
    const line = make("li", "", text);
    line.append(make("br"), make("code", "", `${kind}: tunewright trace ${quoted(key)}`));
    list.append(line);
  });
  details.append(list);
  return details;
};
const quoted = (key) => `'${key.replaceAll("'", "'\\''")}'`;
const showCard = (data, item, chosen) => {
  const card = make("li", "card");
  card.append(make("h3", "", item.prompt || item.key));
  const sides = make("div", "sides");
  const reference = showSide(data, item, null, "right answer");
  reference.said.textContent = reference.text;
  const candidate = showSide(data, item, data.candidate, "candidate");
  sides.append(reference.side);
  if (chosen.against >= 0) {
    const other = showSide(data, item, chosen.against, data.comparators[chosen.against].name);
    writeDiff(other.said, candidate.said, [other.text, candidate.text]);
    sides.append(other.side);
  } else candidate.said.textContent = candidate.text;
  sides.append(candidate.side);
  const foot = make("div", "foot");
  foot.append(make("code", "", item.traceable ? `tunewright trace ${quoted(item.key)}` : item.key));
  if (item.slices.length) foot.append(make("span", "", item.slices.map((index) => data.slices[index]).join(", ")));
  const more = make("div", "more");
  more.append(...[showNear(item), showOthers(data, item, [data.candidate, chosen.against])].filter(Boolean));
  card.append(sides, foot, more);
  return card;
};
const startViewer = async () => {
  const at = (id) => document.getElementById(id);
  const data = await unpackItems();
  data.candidate = data.comparators.findIndex((comparator) => comparator.id === "candidate");
  const fill = (id, names, first) => {
    const found = first === null ? names : [{value: -1, name: first}, ...names];
    found.forEach(({value, name}) => at(id).append(new Option(name, value)));
    if (id !== "against") at(id).closest("label").hidden = names.length < 2;
  };
  const opponents = data.comparators.map(({name}, value) => ({value, name})).filter(({value}) => value !== data.candidate);
  fill("against", opponents, null);
  fill("task", data.tasks.map(({id}, value) => ({value, name: id.replaceAll("_", " ")})), "all tasks");
  fill("slice", data.slices.map((name, value) => ({value, name})), "all slices");
  const buttons = Array.from(document.querySelectorAll("#filters [data-outcome]"));
  const state = {outcome: "", page: 0};
  const read = () => ({outcome: state.outcome, against: Number(at("against").value || -1), task: Number(at("task").value),
    slice: Number(at("slice").value), search: at("search").value.trim().toLowerCase(), order: at("order").value});
  let found = [];
  const draw = () => {
    const chosen = read();
    const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
    state.page = Math.min(Math.max(state.page, 0), pages - 1);
    const first = state.page * PER_PAGE;
    at("cards").replaceChildren(...found.slice(first, first + PER_PAGE).map((item) => showCard(data, item, chosen)));
    at("status").textContent = found.length ? `${first + 1} to ${Math.min(first + PER_PAGE, found.length)} of ${found.length} items` : "No item fits.";
    at("page").textContent = `page ${state.page + 1} of ${pages}`;
    at("back").disabled = state.page === 0;
    at("on").disabled = state.page >= pages - 1;
  };
  const choose = () => {
    const chosen = read();
    const fitting = data.items.filter((item) => fitsOthers(item, chosen));
    buttons.forEach((button) => {
      const outcome = button.dataset.outcome;
      button.querySelector(".count").textContent = fitting.filter((item) => fitsOutcome(data, item, {...chosen, outcome})).length;
      button.setAttribute("aria-pressed", String(outcome === state.outcome));
    });
    found = sortItems(data, fitting.filter((item) => fitsOutcome(data, item, chosen)), chosen);
    state.page = 0;
    draw();
  };
  const turn = (step) => {
    state.page += step;
    draw();
    at("filters").scrollIntoView({block: "start"});
  };
  buttons.forEach((button) => button.addEventListener("click", () => { state.outcome = button.dataset.outcome; choose(); }));
  ["against", "task", "slice", "order"].forEach((id) => at(id).addEventListener("change", choose));
  at("search").addEventListener("input", choose);
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  at("back").addEventListener("click", () => turn(-1));
  at("on").addEventListener("click", () => turn(1));
  at("save").addEventListener("click", () => saveItems(data, found));
  document.querySelectorAll("a.to-items").forEach((link) => link.addEventListener("click", () => {
    const wanted = link.dataset;
    const indexOf = (list, value) => value ? String(list.indexOf(value)) : "-1";
    if (wanted.against) at("against").value = indexOf(data.comparators.map(({id}) => id), wanted.against);
    at("task").value = indexOf(data.tasks.map(({id}) => id), wanted.task);
    at("slice").value = indexOf(data.slices, wanted.slice);
    at("search").value = "";
    state.outcome = wanted.outcome || "";
    choose();
  }));
  at("viewer").hidden = false;
  at("plain").hidden = true;
  choose();
};
const saveItems = (data, items) => {
  const lines = items.map((item) => JSON.stringify({key: item.key, task: data.tasks[item.task].id, prompt: item.prompt,
    slices: item.slices.map((index) => data.slices[index]), reference: item.reference, nearest: item.near,
    answers: Object.fromEntries(data.comparators.map(({id}, index) => [id, item.answers[index]])) }));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\n"), "\n"], {type: "application/jsonl"}));
  link.download = "chosen-items.jsonl";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
startViewer().catch((error) => {
  document.getElementById("plain").hidden = false;
  console.error(error);
});
