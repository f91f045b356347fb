// The items of the page: unpacked once, then chosen by what the filters say.
const unpackItems = async () => {
  const packed = document.getElementById("items").textContent;
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = JSON.parse(await new Response(stream).text());
  data.items = data.items.map(([key, task, slices, prompt, reference, answers, near, traceable]) =>
    ({key, task, slices, prompt, reference, answers, near, traceable: traceable === 1}));
  return data;
};
const isRight = (data, item, answer) => data.tasks[item.task].binary && answer !== null && answer[1] !== null && answer[1] >= 1;
const valueOf = (answer) => answer === null || answer[1] === null ? null : answer[1];
const outcomeOf = (data, item, against) => {
  const ours = valueOf(item.answers[data.candidate]);
  const theirs = against < 0 ? null : valueOf(item.answers[against]);
  if (ours === null || theirs === null || ours === theirs) return "same";
  return (ours > theirs) === data.tasks[item.task].share ? "better" : "worse";
};
const fitsOutcome = (data, item, chosen) => {
  if (!chosen.outcome) return true;
  if (chosen.outcome === "right" || chosen.outcome === "wrong") {
    return isRight(data, item, item.answers[data.candidate]) === (chosen.outcome === "right");
  }
  return outcomeOf(data, item, chosen.against) === chosen.outcome;
};
const textOf = (item) => {
  item.text ??= [item.key, item.prompt, item.reference, ...item.answers.map((answer) => answer ? answer[0] : "")]
    .join("\n").toLowerCase();
  return item.text;
};
const fitsOthers = (item, chosen) =>
  (chosen.task < 0 || item.task === chosen.task) && (chosen.slice < 0 || item.slices.includes(chosen.slice)) &&
  (!chosen.search || textOf(item).includes(chosen.search));
const TELLING = {worse: 0, better: 2, same: 1};
const sortItems = (data, items, chosen) => {
  const lengthOf = (item) => item.answers[data.candidate] ? item.answers[data.candidate][0].length : 0;
  const rank = (item) => TELLING[outcomeOf(data, item, chosen.against)] * 2 +
    (isRight(data, item, item.answers[data.candidate]) ? 1 : 0);
  if (chosen.order === "length") return items.sort((one, two) => lengthOf(two) - lengthOf(one));
  return chosen.order === "telling" ? items.sort((one, two) => rank(one) - rank(two)) : items;
};
